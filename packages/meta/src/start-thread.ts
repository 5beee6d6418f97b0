import { Worker } from 'node:worker_threads';

/** Run from source, by tsx; built, there is nothing to prepare. */
const IS_SOURCE = import.meta.url.endsWith('.ts');

/**
 * A thread that runs the module `name` beside this one (given without ending).
 *
 * Node does not hand loaders on to threads, so that one from source registers tsx itself.
 */
export function startThread(name: string): Worker {
  const module = new URL(`./${name}${IS_SOURCE ? '.ts' : '.js'}`, import.meta.url);
  if (!IS_SOURCE) return new Worker(module);
  const loader = import.meta.resolve('tsx/esm/api');
  return new Worker(`import('${loader}').then(({ register }) => { register(); return import('${module}'); });`, {
    eval: true,
    execArgv: ['--conditions=@velojs/source'],
  });
}
