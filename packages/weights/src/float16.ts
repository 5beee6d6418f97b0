/** IEEE 754 half precision, as raw bits in a Uint16Array: Float16Array is missing in Node 20. */

/** Largest finite number of half precision. */
export const FLOAT16_MAX = 65_504;

/** Exponents are biased by 127 in float32 and by 15 here; fractions have 23 and 10 bits. */
const REBIAS = (127 - 15) << 23;
/** Bits of the float32 numbers 65520, from which on infinity is nearest, of 2^-14, the least normal number, and of 0.5. */
const OVERFLOW = 0x477ff000;
const LEAST_NORMAL = 0x38800000;
const HALF = 0x3f000000;
const INFINITE = 0x7c00;
const NOT_A_NUMBER = 0x7e00;

/** Rounds to the nearest number of half precision, ties to even; what is beyond `FLOAT16_MAX` may become infinite. */
export function toFloat16(values: Float32Array): Uint16Array<ArrayBuffer> {
  const words = new Uint32Array(1);
  const number = new Float32Array(words.buffer);
  const bits = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) {
    number[0] = values[i]!;
    const sign = (words[0]! >>> 16) & 0x8000;
    const magnitude = words[0]! & 0x7fffffff;
    let half: number;
    if (magnitude > 0x7f800000) half = NOT_A_NUMBER;
    else if (magnitude >= OVERFLOW) half = INFINITE;
    else if (magnitude >= LEAST_NORMAL) half = (magnitude - REBIAS + 0xfff + ((magnitude >>> 13) & 1)) >>> 13;
    else {
      // Float32 numbers from 0.5 to 1 are 2^-24 apart, as the numbers below 2^-14 are here: the addition rounds.
      number[0] = Math.abs(values[i]!) + 0.5;
      half = words[0]! - HALF;
    }
    bits[i] = sign | half;
  }
  return bits;
}

/** Exact: every number of half precision is one of float32. */
export function fromFloat16(bits: Uint16Array): Float32Array<ArrayBuffer> {
  table ??= Float32Array.from({ length: 65_536 }, (_, i) => {
    const exponent = (i >>> 10) & 31;
    const fraction = i & 1023;
    const sign = i < 0x8000 ? 1 : -1;
    if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
    return sign * (exponent === 0 ? fraction : 1024 + fraction) * 2 ** (Math.max(exponent, 1) - 25);
  });
  const values = new Float32Array(bits.length);
  for (let i = 0; i < bits.length; i++) values[i] = table[bits[i]!]!;
  return values;
}

let table: Float32Array | undefined;
