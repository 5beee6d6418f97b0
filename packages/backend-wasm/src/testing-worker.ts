/** Trains in a worker of a page: parameters are read right after the last step, and once more after `synchronize`. */
import { start, step } from './testing-training.ts';

const { backend, velo } = await start(2);
for (let i = 0; i < 5; i++) step(velo, i);
const inStep = velo.parameters.map(({ data }) => data.slice());
await velo.synchronize();
const synchronized = velo.parameters.map(({ data }) => data.slice());
postMessage({ inStep, synchronized, threads: backend.threads });
backend.close();
