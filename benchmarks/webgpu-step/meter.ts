/** What a device is told to do, counted and timed from outside: the same for everybody who is measured. */

/** Per step. */
export interface Counts {
  readonly submissions: number;
  readonly dispatches: number;
  readonly copies: number;
}

/** Pairs of times that one query set can hold; WebGPU allows 4,096 entries. */
const PASSES = 2048;
// The numbers of GPUBufferUsage.
const [MAP_READ, COPY_SRC, COPY_DST, QUERY_RESOLVE] = [0x1, 0x4, 0x8, 0x200];

export class Meter {
  /** Whether the device measures time itself. */
  readonly hasTimestamps: boolean;
  readonly #device: GPUDevice;

  constructor(device: GPUDevice) {
    this.#device = device;
    this.hasTimestamps = device.features.has('timestamp-query');
  }

  /** Counts what `body` submits. */
  async count(body: () => void): Promise<Counts> {
    const counts = { submissions: 0, dispatches: 0, copies: 0 };
    await this.#watch(counts, null, async () => body());
    return counts;
  }

  /**
   * What the compute passes took that `body` submits, in nanoseconds, without the gaps between them; null where the
   * device cannot tell, or where there are too many.
   */
  async time(body: () => Promise<void>): Promise<number | null> {
    if (!this.hasTimestamps) return null;
    const device = this.#device;
    const querySet = device.createQuerySet({ type: 'timestamp', count: 2 * PASSES });
    const counts = { submissions: 0, dispatches: 0, copies: 0 };
    const passes = await this.#watch(counts, querySet, body);
    if (passes === 0 || passes > PASSES) {
      querySet.destroy();
      return null;
    }
    const size = 16 * passes;
    const resolved = device.createBuffer({ size, usage: QUERY_RESOLVE | COPY_SRC });
    const staging = device.createBuffer({ size, usage: MAP_READ | COPY_DST });
    const encoder = device.createCommandEncoder();
    encoder.resolveQuerySet(querySet, 0, 2 * passes, resolved, 0);
    encoder.copyBufferToBuffer(resolved, 0, staging, 0, size);
    device.queue.submit([encoder.finish()]);
    await staging.mapAsync(1);
    const times = new BigUint64Array(staging.getMappedRange());
    let total = 0;
    for (let i = 0; i < passes; i++) total += Number(times[2 * i + 1]! - times[2 * i]!);
    for (const made of [querySet, resolved, staging]) made.destroy();
    // Browsers that round times may give nothing but zeros.
    return total > 0 ? total : null;
  }

  /** Returns how many passes there were. */
  async #watch(
    counts: { -readonly [Key in keyof Counts]: number },
    querySet: GPUQuerySet | null,
    body: () => Promise<void>,
  ): Promise<number> {
    const device = this.#device;
    const { queue } = device;
    const createCommandEncoder = device.createCommandEncoder.bind(device);
    const submit = queue.submit.bind(queue);
    let passes = 0;
    device.createCommandEncoder = (descriptor) => {
      const encoder = createCommandEncoder(descriptor);
      const begin = encoder.beginComputePass.bind(encoder);
      const copy = encoder.copyBufferToBuffer.bind(encoder) as (...args: unknown[]) => undefined;
      encoder.copyBufferToBuffer = (...args: unknown[]) => {
        counts.copies++;
        return copy(...args);
      };
      encoder.beginComputePass = (options) => {
        const at = passes++;
        const timestampWrites =
          querySet && at < PASSES
            ? { querySet, beginningOfPassWriteIndex: 2 * at, endOfPassWriteIndex: 2 * at + 1 }
            : undefined;
        const pass = begin({ ...options, ...(timestampWrites && { timestampWrites }) });
        const dispatch = pass.dispatchWorkgroups.bind(pass);
        pass.dispatchWorkgroups = (...size) => {
          counts.dispatches++;
          return dispatch(...size);
        };
        return pass;
      };
      return encoder;
    };
    queue.submit = (buffers) => {
      counts.submissions++;
      return submit(buffers);
    };
    try {
      await body();
    } finally {
      device.createCommandEncoder = createCommandEncoder;
      queue.submit = submit;
    }
    return passes;
  }
}
