/**
 * A network whose parameters, gradients and loss never leave the GPU: the shaders below compute the gradients, VeLO reads
 * them where they are and updates the parameters where they are. In Node with the package `webgpu`.
 */
import { webgpu } from '@velojs/backend-webgpu';
import { createVelo } from 'velojs';
import { create, globals } from 'webgpu';

Object.assign(globalThis, globals);
const { STORAGE, COPY_DST } = GPUBufferUsage;
const [INPUTS, HIDDEN, EXAMPLES] = [2, 32, 128];
const totalSteps = Number(process.argv[2] ?? 400);

// In a browser: webgpu() or webgpu({ device }), with a device of yours.
const backend = await webgpu({ gpu: create([]) });
const { device } = backend;

// relu(x W1 + b1) w2 + b2: side by side in one buffer each, which the shaders below know as arrays.
const shapes = [[INPUTS, HIDDEN], [HIDDEN], [HIDDEN], [1]] as const;
const parameters = backend.allocate(shapes);
const gradients = backend.allocate(shapes);
const [loss] = backend.allocate([[1]]);

const upload = (values: Float32Array<ArrayBuffer>, usage: number = STORAGE | COPY_DST): GPUBuffer => {
  const buffer = device.createBuffer({ size: values.byteLength, usage });
  device.queue.writeBuffer(buffer, 0, values);
  return buffer;
};
/** Between -1 and 1, and the same every time. */
const noise = (i: number) => 2 * ((Math.abs(Math.sin(12.9898 * (i + 1))) * 43758.5453) % 1) - 1;

const inputs = Float32Array.from({ length: EXAMPLES * INPUTS }, (_, i) => noise(i));
const targets = Float32Array.from({ length: EXAMPLES }, (_, e) => Math.sin(3 * inputs[2 * e]!) * inputs[2 * e + 1]!);
// VeLO's steps are relative to the size of a tensor, so nothing starts from zeros.
for (const [j, { buffer, byteOffset, shape }] of parameters.entries()) {
  const size = shape.reduce((product, axis) => product * axis, 1);
  const scale = j === 0 ? 0.7 : 0.2;
  device.queue.writeBuffer(
    buffer,
    byteOffset,
    Float32Array.from({ length: size }, (_, i) => scale * noise(7 * i + j)),
  );
}

const data = {
  inputs: upload(inputs),
  targets: upload(targets),
  work: upload(new Float32Array(EXAMPLES * (HIDDEN + 1))),
};
const at = (tensors: readonly { byteOffset: number }[]) =>
  tensors.map(({ byteOffset }) => `${byteOffset / 4}u`).join(', ');
const shared = /* wgsl */ `
const W1 = 0; const B1 = 1; const W2 = 2; const B2 = 3;
const p_at = array(${at(parameters)});
const g_at = array(${at(gradients)});
@group(0) @binding(0) var<storage, read> p: array<f32>;
@group(0) @binding(1) var<storage, read> inputs: array<f32>;
@group(0) @binding(2) var<storage, read_write> work: array<f32>; // per example: hidden units, error
`;

// One thread per example.
const forward = /* wgsl */ `${shared}
@group(0) @binding(3) var<storage, read> targets: array<f32>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let e = id.x;
  if (e >= ${EXAMPLES}u) { return; }
  var output = p[p_at[B2]];
  for (var h = 0u; h < ${HIDDEN}u; h++) {
    var z = p[p_at[B1] + h];
    for (var k = 0u; k < ${INPUTS}u; k++) { z += inputs[e * ${INPUTS}u + k] * p[p_at[W1] + k * ${HIDDEN}u + h]; }
    let a = max(z, 0.0);
    work[e * ${HIDDEN + 1}u + h] = a;
    output += a * p[p_at[W2] + h];
  }
  work[e * ${HIDDEN + 1}u + ${HIDDEN}u] = output - targets[e];
}`;

// One thread per hidden unit; the first has the output's bias and the loss as well.
const backward = /* wgsl */ `${shared}
@group(0) @binding(3) var<storage, read_write> g: array<f32>;
@group(0) @binding(4) var<storage, read_write> loss: array<f32>;
@compute @workgroup_size(${HIDDEN})
fn main(@builtin(local_invocation_index) h: u32) {
  var w1 = array<f32, ${INPUTS}>();
  var b1 = 0.0; var w2 = 0.0; var b2 = 0.0; var sum = 0.0;
  for (var e = 0u; e < ${EXAMPLES}u; e++) {
    let a = work[e * ${HIDDEN + 1}u + h];
    let error = work[e * ${HIDDEN + 1}u + ${HIDDEN}u];
    let d = 2.0 * error / ${EXAMPLES}.0;
    let dz = select(0.0, d * p[p_at[W2] + h], a > 0.0);
    for (var k = 0u; k < ${INPUTS}u; k++) { w1[k] += dz * inputs[e * ${INPUTS}u + k]; }
    b1 += dz; w2 += d * a; b2 += d; sum += error * error / ${EXAMPLES}.0;
  }
  for (var k = 0u; k < ${INPUTS}u; k++) { g[g_at[W1] + k * ${HIDDEN}u + h] = w1[k]; }
  g[g_at[B1] + h] = b1;
  g[g_at[W2] + h] = w2;
  if (h == 0u) { g[g_at[B2]] = b2; loss[${loss.byteOffset / 4}u] = sum; }
}`;

const program = (code: string, buffers: readonly GPUBuffer[]) => {
  const module = device.createShaderModule({ code });
  const pipeline = device.createComputePipeline({ layout: 'auto', compute: { module, entryPoint: 'main' } });
  const entries = buffers.map((buffer, binding) => ({ binding, resource: { buffer } }));
  return { pipeline, group: device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }) };
};
const p = parameters[0].buffer;
const forwards = program(forward, [p, data.inputs, data.work, data.targets]);
const backwards = program(backward, [p, data.inputs, data.work, gradients[0].buffer, loss.buffer]);

function computeGradients(): void {
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  for (const [{ pipeline, group }, workgroups] of [
    [forwards, EXAMPLES / 64],
    [backwards, 1],
  ] as const) {
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(workgroups);
  }
  pass.end();
  device.queue.submit([encoder.finish()]);
}

const velo = await createVelo({ backend, parameters, totalSteps });
for (let step = 0; step <= totalSteps; step++) {
  computeGradients();
  // Looking is all that waits for the GPU.
  if (step % (totalSteps / 4) === 0) console.log('step', step, 'loss', (await backend.read([loss]))[0]![0]!.toFixed(6));
  if (step < totalSteps) velo.step(gradients, loss);
}
backend.close();
