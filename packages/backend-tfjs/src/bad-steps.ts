/** Bad values on a device, which cannot be looked at without waiting (`check` of the contract). */
import * as tf from '@tensorflow/tfjs-core';

/** No step was bad. Float32 counts to 2^24 without a gap. */
const NONE = 2 ** 24;
/** Steps after which the device is asked how it goes: what undoes them is not kept for ever. */
const PATIENCE = 64;

export class BadSteps {
  /** Number of the first bad step, `[]`. */
  #first: tf.Tensor = tf.keep(tf.scalar(NONE));
  /** The same as of the last look, so that looking leaves as many tensors as there were. */
  #seen: tf.Tensor = tf.keep(tf.scalar(NONE));
  /** How to undo the steps that are not known to be good, and the number of the first of them. */
  #undos: (() => Error)[] = [];
  #begin = 0;
  /** Looks happen one after the other. */
  #looks: Promise<unknown> = Promise.resolve();
  #looking = 0;

  /** A step begins. */
  check(gradients: readonly tf.Tensor[], loss: tf.Tensor | undefined, undo: () => Error): void {
    if (this.#undos.length === 0 && this.#looking === 0) this.#begin = 0;
    const step = this.#begin + this.#undos.length;
    if (gradients.length > 0 || loss) {
      this.#become(tf.tidy(() => tf.minimum(this.#first, number(step, gradients, loss))));
    }
    this.#undos.push(undo);
    // A device that fails here fails at the next read, too.
    if (this.#undos.length > PATIENCE && this.#looking === 0) this.#look().catch(() => {});
  }

  /** `next`, or `state` once a step was bad. */
  choose(state: tf.Tensor, next: tf.Tensor): tf.Tensor {
    if (this.#undos.length === 0) return next;
    // Flat, because webgpu chooses among at most four axes.
    const flat = (x: tf.Tensor) => tf.reshape(x, [x.size]);
    return tf.tidy(() => tf.reshape(tf.where(tf.equal(this.#first, NONE), flat(next), flat(state)), next.shape));
  }

  /** Resolves when the steps so far were looked at. @throws what the `undo` of the first bad one gave */
  async settled(): Promise<void> {
    if (this.#looking === 0 && this.#undos.length === 0) return;
    const bad = await this.#look();
    // Others may have waited for the same step.
    if (bad === null || bad < this.#begin) return;
    const undos = this.#undos.splice(bad - this.#begin);
    this.#begin += this.#undos.length + undos.length;
    this.#undos = [];
    this.#become(tf.scalar(NONE));
    throw undos
      .toReversed()
      .map((undo) => undo())
      .at(-1);
  }

  /** The number of the first bad step so far; where none was bad, these need not be undone any more. */
  #look(): Promise<number | null> {
    this.#looking++;
    const look = this.#looks.then(async () => {
      try {
        const end = this.#begin + this.#undos.length;
        this.#seen.dispose();
        this.#seen = tf.keep(tf.clone(this.#first));
        const bad = (await this.#seen.data())[0] as number;
        if (bad < NONE) return bad;
        this.#undos.splice(0, end - this.#begin);
        this.#begin = end;
        return null;
      } finally {
        this.#looking--;
      }
    });
    this.#looks = look.catch(() => {});
    return look;
  }

  #become(first: tf.Tensor): void {
    this.#first.dispose();
    this.#first = tf.keep(first);
  }
}

/** `step` where one of these is bad, else at least `NONE`. */
function number(step: number, gradients: readonly tf.Tensor[], loss: tf.Tensor | undefined): tf.Tensor {
  const bad = gradients.map((gradient) => tf.max(tf.cast(tf.isNaN(gradient), 'float32')));
  if (loss) bad.push(tf.max(tf.cast(tf.logicalNot(tf.isFinite(loss)), 'float32')));
  return tf.add(tf.mul(tf.sub(1, tf.max(tf.stack(bad))), NONE), step);
}
