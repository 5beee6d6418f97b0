/** Text of a made-up language. */
import { VeloError } from '@velojs/core';
import { type Key, Random } from '../random.ts';
import { draw, markovChain } from './sequences.ts';

export interface Text {
  /** How many different ones there are. */
  readonly symbols: number;
  /** Numbers of symbols, one after the other. */
  readonly training: Uint8Array;
  /** More of it, that training does not see. */
  readonly validation: Uint8Array;
}

export interface MarkovTextOptions {
  /** 2 to 64. */
  readonly symbols: number;
  /** How many symbols before it decide on the chances of a symbol: 1 or 2. */
  readonly order: 1 | 2;
  readonly trainingLength: number;
  readonly validationLength: number;
}

/**
 * A Markov chain in which after any one or two symbols a few others are likely.
 *
 * @throws VeloError `INVALID_ARGUMENT`.
 */
export function markovText({ symbols, order, trainingLength, validationLength }: MarkovTextOptions, key: Key): Text {
  if (!(Number.isInteger(symbols) && symbols >= 2 && symbols <= 64 && (order === 1 || order === 2))) {
    throw new VeloError(
      'INVALID_ARGUMENT',
      `A text has 2 to 64 symbols and order 1 or 2, not ${symbols} and ${order}.`,
    );
  }
  const random = new Random(key);
  const rows = symbols ** order;
  const chain = markovChain(symbols, random, rows);
  const text = new Uint8Array(trainingLength + validationLength);
  let row = random.integer(rows);
  for (let i = 0; i < text.length; i++) {
    text[i] = draw(chain, row, symbols, random);
    row = (row * symbols + text[i]!) % rows;
  }
  return { symbols, training: text.subarray(0, trainingLength), validation: text.subarray(trainingLength) };
}

/**
 * The text that example `example` is in, and where it begins there: an example is some number of symbols in a row, and
 * those that begin in the training text come first.
 */
export function locate(text: Text, length: number, example: number): readonly [symbols: Uint8Array, begin: number] {
  const training = examplesOf(text.training, length);
  return example < training ? [text.training, example] : [text.validation, example - training];
}

/** How many examples of so many symbols there are. */
export const examplesOf = (symbols: Uint8Array, length: number): number => symbols.length - length + 1;
