/** Working memory that grows to what the largest tensor needs and is used again by every step. */
export class Scratch {
  readonly #doubles = new Map<string, Float64Array>();
  #singles = new Float32Array(0);

  /** At least `length` numbers, with whatever was left in them; the same memory for the same name. */
  doubles(name: string, length: number): Float64Array {
    let buffer = this.#doubles.get(name);
    if (!buffer || buffer.length < length) {
      buffer = new Float64Array(length);
      this.#doubles.set(name, buffer);
    }
    return buffer;
  }

  /** Exactly `length` of them; one user at a time. */
  singles(length: number): Float32Array {
    if (this.#singles.length < length) this.#singles = new Float32Array(length);
    return this.#singles.subarray(0, length);
  }
}
