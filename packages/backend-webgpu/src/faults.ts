/**
 * Bad values that nobody may wait for: a flag on the GPU holds the number of the first check that found some. As long as
 * it does, programs that write state write what was there before.
 */
import type { Region } from './memory.ts';
import type { Program } from './program.ts';
import type { Recorder } from './recorder.ts';

/** What `flag` holds where nothing bad was found; to programs it is a storage buffer `array<u32>` of one entry. */
export const NO_FAULT = 0xffff_ffff;

/** After so many checks the flag is looked at without being asked for, so that what would undo them can be let go. */
const CHECKS_BETWEEN_LOOKS = 256;

export class Faults {
  /** One word: the number of the first bad check, or `NO_FAULT`. */
  readonly flag: Region;
  readonly #recorder: Recorder;
  #undos = new Map<number, () => Error>();
  #next = 0;

  constructor(recorder: Recorder) {
    this.#recorder = recorder;
    this.flag = recorder.uploadApart(Float32Array.of(0));
    this.#reset();
  }

  /** A new check; programs that find something bad write its number to `flag`, if none is there. */
  begin(undo: () => Error): number {
    this.#undos.set(this.#next, undo);
    return this.#next++;
  }

  /** Whether there are checks whose outcome is not known. */
  get isOpen(): boolean {
    return this.#undos.size > 0;
  }

  /** Whether so many checks are unreported that it is time to look. */
  get isDue(): boolean {
    return this.#undos.size >= CHECKS_BETWEEN_LOOKS && this.#undos.size % CHECKS_BETWEEN_LOOKS === 0;
  }

  /** How many checks there were: what a value of `flag` read now can tell of. */
  get checks(): number {
    return this.#next;
  }

  /**
   * Takes note of a value of `flag`, read when there were `checks`.
   *
   * @returns the error of the first bad step, after undoing it and all later ones; null if there is none to report.
   */
  report(flag: number, checks: number): Error | null {
    this.forget(flag, checks);
    if (flag === NO_FAULT) return null;
    // Somebody else has reported it, and undone what there was.
    if (!this.#undos.has(flag)) return null;
    const later = [...this.#undos.keys()].filter((check) => check >= flag);
    const errors = later.toReversed().map((check) => this.#undos.get(check)!());
    this.#undos.clear();
    this.#reset();
    return errors.at(-1)!;
  }

  /** Lets go of what nobody will undo, as of a value of `flag` read when there were `checks`. */
  forget(flag: number, checks: number): void {
    for (const check of this.#undos.keys()) if (check < Math.min(flag, checks)) this.#undos.delete(check);
  }

  #reset(): void {
    this.#recorder.device.queue.writeBuffer(this.flag.memory.gpu, 0, Uint32Array.of(NO_FAULT));
  }
}

/** At most this many tensors per dispatch: 8 storage buffers, one of them the flag. */
const PAIRS = 3;

export const guardedCopy: readonly Program[] = Array.from({ length: PAIRS }, (_, i) => guardedCopyProgram(i + 1));

export interface Pair {
  readonly from: Region;
  readonly to: Region;
}

/** Every `to` takes the values of its `from`, unless a fault stands. */
export function copyUnlessFaulty(recorder: Recorder, faults: Faults, pairs: readonly Pair[]): void {
  for (let begin = 0, end = 0; begin < pairs.length; begin = end) {
    // As many at a time as bindings allow: what is written may be bound once, and is read by nobody.
    for (end = begin + 1; end < Math.min(begin + PAIRS, pairs.length); end++) {
      const { from, to } = pairs[end]!;
      const isApart = (pair: Pair) => !isSame(pair.from, to) && !isSame(pair.to, to) && !isSame(pair.to, from);
      if (!pairs.slice(begin, end).every(isApart)) break;
    }
    const some = pairs.slice(begin, end);
    const length = Math.max(...some.map(({ from }) => from.length));
    recorder.dispatch(
      guardedCopy[some.length - 1]!,
      [faults.flag.memory, ...some.flatMap(({ from, to }) => [from.memory, to.memory])],
      some.flatMap(({ from, to }) => [from.length, from.offset, to.offset, 0]),
      Math.ceil(length / 256),
    );
  }
}

const isSame = (a: Region, b: Region) => a.memory.gpu === b.memory.gpu;

function guardedCopyProgram(pairs: number): Program {
  const each = (text: (i: number) => string) => Array.from({ length: pairs }, (_, i) => text(i)).join('\n');
  return {
    name: `guarded copy of ${pairs}`,
    access: `r${'rw'.repeat(pairs)}`,
    code: /* wgsl */ `
@group(0) @binding(0) var<storage, read> flag: array<u32>;
${each(
  (i) => `
@group(0) @binding(${1 + 2 * i}) var<storage, read> from${i}: array<u32>;
@group(0) @binding(${2 + 2 * i}) var<storage, read_write> to${i}: array<u32>;`,
)}
@group(1) @binding(0) var<uniform> params: array<vec4u, 16>;
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) thread: u32) {
  if (flag[0] != ${NO_FAULT}u) { return; }
  let begin = (id.x + id.y * count.x) * 256u + thread;
  for (var i = begin; i < begin + 256u; i += 64u) {
${each((i) => `    if (i < params[${i}].x) { to${i}[params[${i}].z + i] = from${i}[params[${i}].y + i]; }`)}
  }
}`,
  };
}
