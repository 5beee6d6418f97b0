/** What is measured on a GPU: VeLO, Adam, and copying memory. */
import type { WebgpuBackend, WebgpuTensor } from '@velojs/backend-webgpu';
import { type Backend, createVelo, geometryOf, type Shape, withoutKernels } from '@velojs/core';
import type { Contender, Problem, Task, ThetaName } from '../step-cost/contender.ts';
import { RATE } from '../step-cost/optimizers/plain-adam.ts';
import { THETAS } from '../step-cost/optimizers/velo.ts';
import { parameterCount } from '../step-cost/workloads.ts';
import { flat, type Kernel, pieces, unflatten } from './flat.ts';

export interface GpuContender extends Contender {
  readonly kernels: 'fused' | 'composed' | null;
  /** What a step reads and writes of gradients, parameters and state; null where it is not known. */
  bytes(shapes: readonly Shape[]): number | null;
}

/** Per parameter; `docs/webgpu.md` says of what. */
const BYTES = { factored: 68, unfactored: 104, adam: 28 };
const TOTAL_STEPS = 140_000;

/** Parameters and gradients lie side by side in the backend's memory, as those of a network on the GPU would. */
export function veloOnGpu(gpu: WebgpuBackend, theta: ThetaName, kernels: 'fused' | 'composed'): GpuContender {
  const backend: Backend<WebgpuTensor> = kernels === 'fused' ? gpu : withoutKernels<WebgpuTensor>(gpu);
  return {
    name: kernels === 'fused' ? 'VeLO' : 'VeLO, composed',
    theta,
    threads: 1,
    kernels,
    bytes(shapes) {
      if (kernels === 'composed') return null;
      return shapes
        .map(geometryOf)
        .reduce((sum, { size, factored }) => sum + size * (factored ? BYTES.factored : BYTES.unfactored), 0);
    },
    start({ shapes, parameters, gradients }) {
      const place = (values: readonly Float32Array[]): readonly WebgpuTensor[] => {
        const tensors = gpu.allocate(shapes);
        for (const [j, { buffer, byteOffset }] of tensors.entries()) {
          gpu.device.queue.writeBuffer(buffer, byteOffset, values[j]! as Float32Array<ArrayBuffer>);
        }
        return tensors;
      };
      const placed = place(parameters);
      const sets = gradients.map(place);
      const velo = createVelo({ backend, theta: THETAS[theta], parameters: placed, totalSteps: TOTAL_STEPS });
      let step = 0;
      return {
        run() {
          velo.step(sets[step % sets.length]!, 1 / (1 + ++step));
        },
        finish: () => velo.synchronize(),
        parameters: () => backend.read(velo.parameters),
        dispose() {
          velo.dispose();
          for (const tensor of [...placed, ...sets.flat()]) backend.dispose(tensor);
        },
      };
    },
  };
}

/** Adam in one kernel over all tensors end to end: the least that it can cost. */
export function adamOnGpu(device: GPUDevice): GpuContender {
  const adam = kernel(
    device,
    'Adam',
    ['read', 'read_write', 'read_write', 'read_write'],
    /* wgsl */ `
  let g = a[i];
  let m = 0.9 * c[i] + 0.1 * g;
  let v = 0.999 * d[i] + 0.001 * g * g;
  c[i] = m;
  d[i] = v;
  b[i] -= (params[0] * m) / (sqrt(params[1] * v) + 1e-8);`,
  );
  return {
    name: 'Adam',
    theta: null,
    threads: 1,
    kernels: null,
    bytes: (shapes) => BYTES.adam * parameterCount(shapes),
    start({ shapes, parameters, gradients }: Problem) {
      const values = flat(device, parameters);
      const sets = gradients.map((set) => flat(device, set));
      const [first, second] = [flat(device, parameters.map(zeros)), flat(device, parameters.map(zeros))];
      const bound = sets.map((set) => pieces(device, adam, [set, values, first, second]));
      let step = 0;
      return {
        run() {
          const set = step % sets.length;
          step++;
          bound[set]!([RATE / (1 - 0.9 ** step), 1 / (1 - 0.999 ** step)]);
        },
        finish: () => device.queue.onSubmittedWorkDone(),
        parameters: async () => unflatten(await values.read(), shapes),
        dispose() {
          for (const { buffer } of [values, first, second, ...sets]) buffer.destroy();
        },
      };
    },
  };
}

/** Reads four bytes and writes four per entry: what memory can do on this machine at this moment. */
export function copyOnGpu(
  device: GPUDevice,
  entries: number,
): Task & { readonly bytes: number; check(): Promise<void> } {
  const copy = kernel(device, 'copy', ['read', 'read_write'], 'b[i] = a[i];');
  const values = Float32Array.from({ length: entries }, (_, i) => i % 1000);
  const [from, to] = [flat(device, [values]), flat(device, [zeros(values)])];
  const run = pieces(device, copy, [from, to]);
  return {
    bytes: 8 * entries,
    run: () => run([]),
    finish: () => device.queue.onSubmittedWorkDone(),
    async check() {
      run([]);
      const copied = await to.read();
      if (copied.some((value, i) => value !== values[i])) throw new Error('The copy is wrong: nothing is measured.');
    },
    dispose() {
      from.buffer.destroy();
      to.buffer.destroy();
    },
  };
}

const zeros = ({ length }: Float32Array): Float32Array => new Float32Array(length);

/** A kernel over four entries per thread of the arrays `a`, `b`, ...; `i` is their number. */
function kernel(device: GPUDevice, name: string, access: readonly ('read' | 'read_write')[], body: string): Kernel {
  const code = /* wgsl */ `
${access.map((mode, i) => `@group(0) @binding(${i}) var<storage, ${mode}> ${'abcd'[i]}: array<vec4f>;`).join('\n')}
@group(0) @binding(${access.length}) var<uniform> params: vec4f;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) count: vec3u) {
  let i = id.x + id.y * count.x * 64u;
  if (i >= arrayLength(&a)) { return; }
  ${body}${access.length === 2 ? '\n  _ = params;' : ''}
}`;
  const types: GPUBufferBindingType[] = access.map((mode) => (mode === 'read' ? 'read-only-storage' : 'storage'));
  const layout = device.createBindGroupLayout({
    entries: [...types, 'uniform' as const].map((type, binding) => ({ binding, visibility: 4, buffer: { type } })),
  });
  const pipeline = device.createComputePipeline({
    label: name,
    layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
    compute: { module: device.createShaderModule({ label: name, code }), entryPoint: 'main' },
  });
  return { layout, pipeline };
}
