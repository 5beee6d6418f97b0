/** A process of its own that `load-theta.test.ts` starts: loads the entry given as JSON and prints the files' hashes. */
import { argv } from 'node:process';
import { fetchWeights } from './load-theta.ts';
import { sha256Of } from './testing-server.ts';

const [entry, cacheDir] = argv.slice(2);
const { theta, files } = await fetchWeights(JSON.parse(entry!), {
  cacheDir: cacheDir!,
  onProgress: ({ loaded }) => process.stderr.write(`${loaded}\n`),
});
console.log(JSON.stringify({ hiddenSize: theta.hiddenSize, hashes: files.map(({ bytes }) => sha256Of(bytes)) }));
