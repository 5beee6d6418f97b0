/**
 * A process of its own for relaxed SIMD, where Node.js has it only behind an option for the whole process. VeLO's
 * opponents are measured in it again, so that ratios stay within one process.
 */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { RELAXED } from './contender.ts';
import type { ProcessResults } from './results.ts';
import { runSuite, type SuiteOptions } from './suite.ts';

const FLAG = '--experimental-wasm-relaxed-simd';
/** Exit code of a Node.js that does not know an option. */
const BAD_OPTION = 9;

type Options = Omit<SuiteOptions, 'field'>;

/** @throws Error where something fails in that process; it has said what */
export function runRelaxedProcess(options: Options): Promise<ProcessResults> {
  console.error(`relaxed SIMD, in a process with ${FLAG}:`);
  return new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(import.meta.url), { execArgv: [...process.execArgv, FLAG] });
    let results: ProcessResults | null = null;
    child.on('message', (message) => {
      results = message as ProcessResults;
    });
    child.on('error', reject);
    child.on('close', (code) => {
      if (results) resolve(results);
      else if (code === BAD_OPTION) {
        const reason = `this Node.js knows no ${FLAG}`;
        resolve({ flags: [], groups: [], leftOut: [{ name: RELAXED, reason }] });
      } else reject(new Error(`The process with ${FLAG} ended with code ${code}.`));
    });
    child.send(options, () => {}); // What goes wrong is told by `close`.
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.once('message', async (options: Options) => {
    try {
      const results: ProcessResults = { flags: [FLAG], ...(await runSuite({ ...options, field: 'relaxed' })) };
      process.send!(results);
    } catch (error) {
      console.error(error);
      process.exitCode = 1;
    }
    process.disconnect();
  });
}
