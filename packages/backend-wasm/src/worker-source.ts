/**
 * What a worker runs, in Node as in browsers. A string, so that there is no file for bundlers to find and serve.
 *
 * It is sent `{ module, memory, control, thread }` first. Helpers then never come back from `serve`; the leader of a
 * page, thread 0, is sent commands `{ id, name, parameters }` and keeps the number of the last one done in the control
 * block (see `assembly/threads.ts`).
 */
const FAILED_WORD = 2;
export const DONE_WORD = 15;

/** @param prelude JavaScript that defines `post(message)` and `listen(handler)`. */
export const workerSource = (prelude: string): string => `'use strict';
${prelude}
let kernels;
let report = () => {};
const start = ({ module, memory, control, thread }) => {
  kernels = new WebAssembly.Instance(module, { env: { memory } }).exports;
  report = (word, value) => Atomics.store(new Int32Array(memory.buffer), (control >>> 2) + word, value);
  post({ ready: true });
  if (thread > 0) kernels.serve(control, thread);
};
const run = ({ id, name, parameters }) => {
  const result = kernels[name](...parameters);
  report(${DONE_WORD}, id);
  post({ id, result });
};
listen((message) => {
  try {
    if (message.module) start(message);
    else run(message);
  } catch (error) {
    report(${FAILED_WORD}, 1);
    throw error;
  }
});
`;
