/** A list of numbers that grows, in one block of memory. */
export class Numbers {
  #block = new Float64Array(256);
  length = 0;

  append(values: ArrayLike<number>): void {
    const needed = this.length + values.length;
    if (needed > this.#block.length) {
      const larger = new Float64Array(Math.max(needed, 2 * this.#block.length));
      larger.set(this.values);
      this.#block = larger;
    }
    this.#block.set(values, this.length);
    this.length = needed;
  }

  /** Until the next change. */
  get values(): Float64Array {
    return this.#block.subarray(0, this.length);
  }

  /** Every second one stays, and the last. */
  halve(): void {
    const kept = this.values.filter((_, i) => i % 2 === 0 || i === this.length - 1);
    this.length = 0;
    this.append(kept);
  }
}
