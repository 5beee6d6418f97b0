/**
 * What users would install: every published package is packed, its tarball checked by publint and attw, and all tarballs
 * are installed into an empty project, imported and type-checked there. Needs a build.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { build, type Rolldown } from 'vite';
import { packageFolders, readManifest, root } from './workspace.ts';

const work = mkdtempSync(join(tmpdir(), 'velojs-packages-'));
let failures = 0;
const report = (what: string, complaints: readonly string[]): void => {
  console.log(`${complaints.length === 0 ? 'ok  ' : 'FAIL'} ${what}`);
  for (const complaint of complaints) console.log(complaint.replace(/^/gm, '     '));
  if (complaints.length > 0) failures++;
};
/** Runs a Node program; its output is a complaint if it fails. */
const complaintsOf = (cwd: string, ...command: string[]): string[] => {
  const { status, stdout, stderr } = spawnSync(process.execPath, command, { cwd, encoding: 'utf8' });
  return status === 0 ? [] : [`${stdout}${stderr}`];
};
/** Bundled for browsers, a package must not reach for Node, nor start with the library that only flax files need. */
async function bundleComplaints(name: string): Promise<string[]> {
  const entry = join(work, 'bundle.js');
  writeFileSync(entry, `export * from '${name}';\n`);
  const result = await build({
    root: work,
    configFile: false,
    logLevel: 'error',
    build: { write: false, minify: false, lib: { entry, formats: ['es'], fileName: 'bundle' } },
  });
  const chunks = (result as Rolldown.RolldownOutput[])
    .flatMap(({ output }) => output)
    .filter((part) => part.type === 'chunk');
  const complaints = chunks.flatMap(({ fileName, code }) =>
    /['"]node:|env-paths/.test(code) ? [`${fileName} asks for Node`] : [],
  );
  const atStart = new Set(chunks.filter(({ isEntry }) => isEntry));
  for (const { imports } of atStart) {
    for (const chunk of chunks) if (imports.includes(chunk.fileName)) atStart.add(chunk);
  }
  for (const { fileName, moduleIds } of atStart) {
    if (moduleIds.some((id) => id.includes('@msgpack')))
      complaints.push(`${fileName}, which is needed at the start, has @msgpack/msgpack`);
  }
  return complaints;
}
const program = (path: string): string => join(root, 'node_modules', path);

const packages = packageFolders.map((folder) => ({ folder, manifest: readManifest(folder) }));
const tarballs: string[] = [];
for (const { folder, manifest } of packages) {
  const packed = execFileSync('npm', ['pack', '--json', '--pack-destination', work], {
    cwd: join(root, folder),
    encoding: 'utf8',
    shell: process.platform === 'win32',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [{ filename, size, files }] = JSON.parse(packed);
  const tarball = join(work, filename);
  tarballs.push(tarball);
  console.log(`\n${manifest.name}: ${files.length} files, ${(size / 1024).toFixed(1)} KiB packed`);

  const bytes = readFileSync(tarball);
  const { messages, pkg } = await publint({
    strict: true,
    pack: { tarball: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) },
  });
  report(
    'publint',
    messages.map((message) => formatMessage(message, pkg, { color: false }) ?? message.code),
  );
  report(
    'attw',
    complaintsOf(root, program('@arethetypeswrong/cli/dist/index.js'), tarball, '--profile', 'esm-only', '--no-emoji'),
  );
}

console.log('\nin an empty project');
const entries = packages.flatMap(({ manifest }) =>
  Object.keys(manifest.exports)
    .filter((path) => path !== './package.json')
    .map((path) => `${manifest.name}${path.slice(1)}`),
);
writeFileSync(join(work, 'package.json'), '{ "private": true, "type": "module" }');
execFileSync('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', ...tarballs], {
  cwd: work,
  shell: process.platform === 'win32',
  stdio: ['ignore', 'ignore', 'inherit'],
});
// The suite of @velojs/conformance runs inside vitest only, which brings its types.
const outsideVitest = entries.filter((entry) => entry !== '@velojs/conformance');
writeFileSync(join(work, 'import.js'), outsideVitest.map((entry) => `await import('${entry}');\n`).join(''));
report(`import ${outsideVitest.join(', ')}`, complaintsOf(work, 'import.js'));
// tfjs's own declarations clash with those that TypeScript has of WebGPU: whoever uses it has to skip such checks. What
// trains needs jax-js, an optional peer that is not there.
const needsSkip = (entry: string) => entry === '@velojs/backend-tfjs' || entry === 'velojs/training';
for (const [module, moduleResolution] of [
  ['nodenext', 'nodenext'],
  ['esnext', 'bundler'],
]) {
  for (const skipLibCheck of [false, true]) {
    const checked = outsideVitest.filter((entry) => needsSkip(entry) === skipLibCheck);
    writeFileSync(
      join(work, 'types.ts'),
      checked.map((entry, i) => `import * as _${i} from '${entry}';\nvoid _${i};\n`).join(''),
    );
    const options = { module, moduleResolution, target: 'es2022', strict: true, noEmit: true, types: [], skipLibCheck };
    writeFileSync(join(work, 'tsconfig.json'), JSON.stringify({ compilerOptions: options, files: ['types.ts'] }));
    report(
      `types with moduleResolution ${moduleResolution}${skipLibCheck ? `, skipLibCheck: ${checked.join(', ')}` : ''}`,
      complaintsOf(work, program('typescript/bin/tsc'), '--project', work),
    );
  }
}
report('a bundle for browsers', await bundleComplaints('velojs'));
report('velojs --help', complaintsOf(work, 'node_modules/velojs/bin/velojs.js', '--help'));

rmSync(work, { recursive: true });
process.exitCode = failures === 0 ? 0 : 1;
