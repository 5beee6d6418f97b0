/** Threads in Node, built or from source. */
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';

/**
 * Starts a thread that runs a module of this package.
 *
 * @param module its `import.meta.url`: what a bundler made of a file's name is known to nobody else.
 */
export function openThread(module: string, workerData: unknown): Worker {
  if (!module.endsWith('.ts')) return new Worker(new URL(module), { workerData, execArgv: [] });
  // A thread does not inherit the loader of TypeScript that this process was started with.
  const loader = pathToFileURL(
    createRequire(import.meta.url)
      .resolve('tsx/esm/api')
      .replace(/cjs$/, 'mjs'),
  );
  const source = `import(${JSON.stringify(loader.href)}).then(({ register }) => {
    register();
    return import(${JSON.stringify(module)});
  })`;
  return new Worker(source, { eval: true, workerData, execArgv: ['--conditions=@velojs/source'] });
}

/** A thread that answers the `Request`s of `threads.ts`, the first of which starts its replica. Builds keep its file beside this one. */
export const openReplicaThread = (): Worker =>
  openThread(new URL(`./thread${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url).href, null);
