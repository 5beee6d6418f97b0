/** Errors as the page shows them. */
import { VeloError } from '@velojs/core';
import type { Fault } from './protocol.ts';

export function faultOf(error: unknown): Fault {
  if (error instanceof VeloError) return { code: error.code, message: error.message };
  return { code: 'UNEXPECTED', message: error instanceof Error ? error.message : String(error) };
}
