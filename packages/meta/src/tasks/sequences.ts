/** Sequences of symbols, and what can be asked about them. */
import { VeloError } from '@velojs/core';
import { type Key, Random } from '../random.ts';

export interface Sequences {
  readonly name: string;
  readonly length: number;
  /** How many different ones inputs have. */
  readonly symbols: number;
  /** How many different ones targets have. */
  readonly outputs: number;
  /** `[count, length]`. */
  readonly inputs: Uint8Array;
  /** `[count, length]`: what is to be said after each symbol, or `NO_TARGET`. */
  readonly targets: Uint8Array;
}

export const NO_TARGET = 255;

/**
 * - `majority`: after the last symbol, the one that was there most often (the lower, of two);
 * - `sum`: after each symbol, the sum so far modulo their number (of two symbols: parity);
 * - `copy`: the first half, after the end of it, symbol by symbol;
 * - `recall`: after the last symbol, the first;
 * - `next`: the next symbol of a Markov chain.
 */
export const SEQUENCE_KINDS = ['majority', 'sum', 'copy', 'recall', 'next'] as const;
export type SequenceKind = (typeof SEQUENCE_KINDS)[number];

export interface SequenceOptions {
  readonly kind: SequenceKind;
  /** At least 2. */
  readonly symbols: number;
  /** At least 2. */
  readonly length: number;
  readonly count: number;
  readonly key: Key;
}

/** @throws VeloError `INVALID_ARGUMENT`. */
export function sequences({ kind, symbols, length, count, key }: SequenceOptions): Sequences {
  const sound =
    SEQUENCE_KINDS.includes(kind) &&
    [symbols, length].every((number) => Number.isInteger(number) && number >= 2 && number < NO_TARGET);
  if (!sound) {
    throw new VeloError(
      'INVALID_ARGUMENT',
      `Sequences are of a kind among ${SEQUENCE_KINDS.join(', ')}, with 2 to 254 symbols and 2 to 254 places; they were ` +
        `of kind ${kind} with ${symbols} and ${length}.`,
    );
  }
  const random = new Random(key);
  const chain = markovChain(symbols, random);
  const inputs = new Uint8Array(count * length);
  const targets = new Uint8Array(count * length).fill(NO_TARGET);
  for (let begin = 0; begin < inputs.length; begin += length) {
    const symbolsOf = inputs.subarray(begin, begin + length);
    const targetsOf = targets.subarray(begin, begin + length);
    if (kind === 'next') {
      symbolsOf[0] = random.integer(symbols);
      for (let t = 1; t <= length; t++) {
        const next = draw(chain, symbolsOf[t - 1]!, symbols, random);
        targetsOf[t - 1] = next;
        if (t < length) symbolsOf[t] = next;
      }
    } else {
      for (let t = 0; t < length; t++) symbolsOf[t] = random.integer(symbols);
      ask(kind, symbols, symbolsOf, targetsOf);
    }
  }
  // A symbol of its own says that the first half is to be repeated.
  return {
    name: kind,
    length,
    symbols: kind === 'copy' ? symbols + 1 : symbols,
    outputs: symbols,
    inputs,
    targets,
  };
}

function ask(kind: Exclude<SequenceKind, 'next'>, symbols: number, inputs: Uint8Array, targets: Uint8Array): void {
  const last = inputs.length - 1;
  if (kind === 'recall') targets[last] = inputs[0]!;
  if (kind === 'sum') {
    let sum = 0;
    inputs.forEach((symbol, t) => {
      sum = (sum + symbol) % symbols;
      targets[t] = sum;
    });
  }
  if (kind === 'copy') {
    const half = Math.floor(inputs.length / 2);
    for (let t = half; t < inputs.length; t++) inputs[t] = symbols;
    for (let t = 0; t < half; t++) targets[half + t] = inputs[t]!;
  }
  if (kind === 'majority') {
    const counts = new Uint8Array(symbols);
    for (const symbol of inputs) counts[symbol]!++;
    targets[last] = counts.indexOf(Math.max(...counts));
  }
}

/** Cumulative chances of the next symbol, `[rows, symbols]`: a few of them likely. */
export function markovChain(symbols: number, random: Random, rows: number = symbols): Float64Array {
  const chain = new Float64Array(rows * symbols);
  for (let row = 0; row < chain.length; row += symbols) {
    let sum = 0;
    for (let i = 0; i < symbols; i++) sum += chain[row + i] = Math.exp(2 * random.normal());
    let cumulative = 0;
    for (let i = 0; i < symbols; i++) chain[row + i] = cumulative += chain[row + i]! / sum;
  }
  return chain;
}

/** A symbol by the chances in row `row` of `chain`. */
export function draw(chain: Float64Array, row: number, symbols: number, random: Random): number {
  const chance = random.uniform();
  let symbol = 0;
  while (symbol < symbols - 1 && chain[row * symbols + symbol]! <= chance) symbol++;
  return symbol;
}
