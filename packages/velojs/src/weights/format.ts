/** How weights are written in the terminal. */
import type { FetchedFile, WeightsFile } from '@velojs/weights';
import { formatCount } from '../train/report/format.ts';

export const formatMegabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(2)} MB`;

export const formatBytes = (bytes: number): string => `${formatCount(bytes)} ${bytes === 1 ? 'byte' : 'bytes'}`;

export const formatSizes = ({ hiddenSize, bankSize }: { hiddenSize: number; bankSize: number }): string =>
  `H = ${hiddenSize}, K = ${bankSize}`;

/** Text of unknown origin must not be able to command a terminal. */
export const printable = (text: string): string =>
  text.replace(/[\p{Cc}\p{Cf}]/gu, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`);

/** Rows with their columns aligned, each line behind `indent`. */
export function alignRows(rows: readonly (readonly string[])[], indent = '  '): string {
  const widths: number[] = [];
  for (const row of rows)
    row.forEach((cell, i) => {
      widths[i] = Math.max(widths[i] ?? 0, cell.length);
    });
  return rows.map((row) => (indent + row.map((cell, i) => cell.padEnd(widths[i]!)).join('  ')).trimEnd()).join('\n');
}

/** What a file of the registry is checked by. */
export function formatCheck({ sha256, gitBlob }: WeightsFile): string {
  if (sha256 !== undefined) return `checked by SHA-256 ${sha256}`;
  return gitBlob === undefined ? 'hash unknown, so only with --allow-unverified' : `checked by git blob id ${gitBlob}`;
}

/** How a file was checked. */
export function formatVerified({ verified }: FetchedFile): string {
  if (verified === null) return 'no (unverified)';
  return verified === 'sha256' ? 'by its SHA-256' : 'by its git blob id';
}
