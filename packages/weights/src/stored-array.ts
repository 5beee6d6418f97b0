/** Arrays as they lie in a weight file. */

/** Neither copied nor converted: `bytes` is a part of the file, of any alignment, row-major and little-endian. */
export interface StoredArray {
  readonly shape: readonly number[];
  /** The number type under the name that the file gives it: `F32` in safetensors, `float32` in flax. */
  readonly type: string;
  readonly bytes: Uint8Array;
}

export const isStoredArray = (value: unknown): value is StoredArray =>
  typeof value === 'object' && value !== null && 'bytes' in value && value.bytes instanceof Uint8Array;

interface NumberArrays {
  readonly BYTES_PER_ELEMENT: number;
}

/** The numbers of such bytes: a view where they are aligned, a copy otherwise. The result is only to be read. */
export function numbersOf<A>(
  Numbers: NumberArrays & (new (buffer: ArrayBufferLike, byteOffset: number, length: number) => A),
  bytes: Uint8Array,
): A {
  // Not `slice`, which makes no copy of Node's buffers.
  const aligned = bytes.byteOffset % Numbers.BYTES_PER_ELEMENT === 0 ? bytes : new Uint8Array(bytes);
  return new Numbers(aligned.buffer, aligned.byteOffset, aligned.length / Numbers.BYTES_PER_ELEMENT);
}

/** A copy of float32 numbers. */
export const float32Copy = (bytes: Uint8Array): Float32Array<ArrayBuffer> =>
  new Float32Array(new Uint8Array(bytes).buffer);

/** The bytes of a typed array, in place. */
export const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);
