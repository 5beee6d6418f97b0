/** WGSL programs and their pipelines: compiled once per device, all at once by `warmUp`, or when first used. */
import { VeloError } from '@velojs/core';

/** A compute shader. Group 0 has its storage buffers, group 1 the uniform `params`, both written out in `code`. */
export interface Program {
  readonly name: string;
  /** Its storage buffers in order: `r` for those only read, `w` for those written. */
  readonly access: string;
  /** WGSL with an entry point `main`. */
  readonly code: string;
}

/** Takes note of an error scope's outcome, when it is known: of the error that `describe` makes of it, if there is one. */
export type Watch = (outcome: Promise<GPUError | null>, describe: (error: GPUError) => VeloError) => void;

/** Bytes of the uniform `params` of one dispatch. */
export const PARAMS_BYTES = 256;

export class Pipelines {
  /** Pipelines compiled so far. */
  compiled = 0;
  readonly #device: GPUDevice;
  readonly #layouts = new Map<string, GPUBindGroupLayout>();
  readonly #pipelines = new Map<Program, GPUComputePipeline>();
  readonly #watch: Watch;
  readonly paramsLayout: GPUBindGroupLayout;

  constructor(device: GPUDevice, watch: Watch) {
    this.#device = device;
    this.#watch = watch;
    this.paramsLayout = device.createBindGroupLayout({
      entries: [
        {
          binding: 0,
          visibility: COMPUTE,
          buffer: { type: 'uniform', hasDynamicOffset: true, minBindingSize: PARAMS_BYTES },
        },
      ],
    });
  }

  get(program: Program): GPUComputePipeline {
    let pipeline = this.#pipelines.get(program);
    if (!pipeline) {
      const device = this.#device;
      device.pushErrorScope('internal');
      device.pushErrorScope('validation');
      pipeline = device.createComputePipeline(this.#describe(program));
      for (let i = 0; i < 2; i++) this.#watch(device.popErrorScope(), (error) => uncompiled(program, error));
      this.#add(program, pipeline);
    }
    return pipeline;
  }

  /** Compiles without making anybody wait for it. @throws VeloError `BACKEND_UNAVAILABLE` */
  async warmUp(programs: readonly Program[]): Promise<void> {
    await Promise.all(
      programs.map(async (program) => {
        if (this.#pipelines.has(program)) return;
        const compiling = this.#device.createComputePipelineAsync(this.#describe(program));
        const pipeline = await compiling.catch((error) => Promise.reject(uncompiled(program, error)));
        if (!this.#pipelines.has(program)) this.#add(program, pipeline);
      }),
    );
  }

  /** The layout of group 0 of a program with such buffers. */
  layout(access: string): GPUBindGroupLayout {
    let layout = this.#layouts.get(access);
    if (!layout) {
      layout = this.#device.createBindGroupLayout({
        entries: [...access].map((kind, binding) => ({
          binding,
          visibility: COMPUTE,
          buffer: { type: kind === 'w' ? 'storage' : 'read-only-storage' },
        })),
      });
      this.#layouts.set(access, layout);
    }
    return layout;
  }

  #add(program: Program, pipeline: GPUComputePipeline): void {
    this.#pipelines.set(program, pipeline);
    this.compiled++;
  }

  #describe({ name, access, code }: Program): GPUComputePipelineDescriptor {
    return {
      label: name,
      layout: this.#device.createPipelineLayout({ bindGroupLayouts: [this.layout(access), this.paramsLayout] }),
      compute: { module: this.#device.createShaderModule({ label: name, code }), entryPoint: 'main' },
    };
  }
}

const uncompiled = ({ name }: Program, error: GPUError | Error) =>
  new VeloError(
    'BACKEND_UNAVAILABLE',
    `The program "${name}" does not compile on this GPU, which its driver should be able to: ${error.message}`,
    { cause: error },
  );

/** `GPUShaderStage.COMPUTE`, which not every program outside browsers has as a global. */
const COMPUTE = 0x4;
