import { VeloError } from '@velojs/core';

const MAX_LENGTH = 500;

/** A sentence about a file. Names in it may be megabytes long; the sentence is not. */
export const aboutFile = (what: string, file = 'The file'): string =>
  `${file} ${what.length > MAX_LENGTH ? `${what.slice(0, MAX_LENGTH)} ...` : what}.`;

/** `aboutFile` as the error of everything that reads weights. */
export const invalidFile = (what: string, file?: string, cause?: unknown): VeloError =>
  new VeloError('WEIGHTS_INVALID', aboutFile(what, file), cause === undefined ? {} : { cause });
