/**
 * Writes src/velo-mini-file.ts, which is committed, from a theta file:
 *
 *     npm run embed -w @velojs/weights -- ../meta/velo-mini/best.theta
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { argv } from 'node:process';
import { fileURLToPath } from 'node:url';
import { decodeTheta, encodeFloat16Theta } from './src/theta-file.ts';

const [, , source] = argv;
if (source === undefined) throw new Error('Which theta? Give the path of its file.');
const { theta, metadata } = decodeTheta(readFileSync(source));
const bytes = encodeFloat16Theta(theta, {
  name: 'velo-mini',
  authors: 'the authors of velojs',
  license: 'Apache-2.0',
  ...(metadata.description === undefined ? {} : { description: metadata.description }),
});
const target = fileURLToPath(new URL('./src/velo-mini-file.ts', import.meta.url));
writeFileSync(target, `export default '${Buffer.from(bytes).toString('base64')}';\n`);
console.log(`${target}: ${bytes.length} bytes of safetensors`);
