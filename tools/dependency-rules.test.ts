/**
 * Who may import whom, read from the real import statements:
 * core nothing; backends and weights only core; conformance core and weights; meta core, weights and the fastest backend
 * (docs/decisions/0011-meta-training.md); everything else everything.
 * No backend imports another, except that backend-tfjs runs the kernels of two on the memory of tfjs, and reads the
 * starter theta (docs/decisions/0009-tfjs.md). Whatever is imported is declared.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { join, relative, resolve } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { type Manifest, packageFolders, readManifest, root } from './workspace.ts';

const inside: Record<string, readonly string[]> = {
  '@velojs/core': [],
  '@velojs/backend-tfjs': ['@velojs/core', '@velojs/weights', '@velojs/backend-cpu', '@velojs/backend-wasm'],
  '@velojs/conformance': ['@velojs/core', '@velojs/weights'],
  '@velojs/meta': ['@velojs/core', '@velojs/weights', '@velojs/backend-wasm'],
  '@velojs/weights': ['@velojs/core'],
};
const isOurs = (name: string): boolean => name === 'velojs' || name.startsWith('@velojs/');
const isBackend = (name: string): boolean => name.startsWith('@velojs/backend-');
const rootDevelopment = Object.keys(readManifest('.').devDependencies ?? {});

/** The violations in one file; `file` is relative to the package's folder. */
function violations(folder: string, manifest: Manifest, file: string, source: string): string[] {
  const { name } = manifest;
  const isTest = /\.test\.ts$|\/testing[^/]*$/.test(file);
  const allowed = inside[name] ?? (isBackend(name) ? ['@velojs/core'] : undefined);
  const declared = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies });

  const complaint = (specifier: string): string | undefined => {
    if (specifier.startsWith('.')) {
      const target = relative(join(root, folder), resolve(join(root, folder, file), '..', specifier));
      return target.startsWith('..') ? 'leaves its package' : undefined;
    }
    if (specifier.startsWith('#'))
      return Object.hasOwn(manifest.imports ?? {}, specifier) ? undefined : 'not declared in package.json';
    if (isBuiltin(specifier)) return name === '@velojs/core' && !isTest ? 'core runs without Node' : undefined;
    const imported = specifier
      .split('/')
      .slice(0, specifier.startsWith('@') ? 2 : 1)
      .join('/');
    if (imported === name) return undefined;
    if (isBackend(name) && isBackend(imported) && !allowed?.includes(imported)) return 'a backend imports another';
    if (isTest && [...rootDevelopment, ...declared].includes(imported)) return undefined;
    if (isTest) return isOurs(imported) ? undefined : 'not declared here or at the root';
    if (isOurs(imported) && allowed && !allowed.includes(imported)) return `${name} may not import it`;
    return declared.includes(imported) ? undefined : 'not declared in package.json';
  };

  return ts.preProcessFile(source, true, true).importedFiles.flatMap(({ fileName }) => {
    const reason = complaint(fileName);
    return reason ? [`${folder}/${file}: '${fileName}': ${reason}`] : [];
  });
}

describe('dependency rules', () => {
  it.each(packageFolders)('%s imports only what it may', (folder) => {
    const manifest = readManifest(folder);
    const files = readdirSync(join(root, folder, 'src'), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .map((file) => join('src', file));
    expect(files).not.toEqual([]);
    const found = files.flatMap((file) =>
      violations(folder, manifest, file, readFileSync(join(root, folder, file), 'utf8')),
    );
    expect(found.join('\n')).toBe('');
  });

  const manifest = (name: string): Manifest => ({
    name,
    exports: {},
    imports: { '#somewhere': './src/somewhere.ts' },
    dependencies: { '@velojs/core': '*', '@velojs/backend-cpu': '*', '@velojs/weights': '*' },
  });
  it.each([
    ['@velojs/core', "import { starterTheta } from '@velojs/weights';"],
    ['@velojs/core', "import { readFile } from 'node:fs/promises';"],
    ['@velojs/core', "export * from '../../weights/src/index.ts';"],
    ['@velojs/weights', "import type { CpuBackend } from '@velojs/backend-cpu';"],
    ['@velojs/backend-wasm', "const { cpu } = await import('@velojs/backend-cpu');"],
    ['@velojs/backend-cpu', "import { tfjs } from '@velojs/backend-tfjs';"],
    ['@velojs/conformance', "export { cpu } from '@velojs/backend-cpu';"],
    ['velojs', "import left from 'left-pad';"],
    ['@velojs/weights', "await import('#nowhere');"],
  ])('a violation in %s is found: %s', (name, source) => {
    expect(violations('packages/planted', manifest(name), 'src/index.ts', source)).toHaveLength(1);
  });
  it.each([
    ['@velojs/core', 'src/index.ts', "import { VeloError } from './errors.ts';"],
    ['@velojs/core', 'src/index.ts', "/** import { cpu } from '@velojs/backend-cpu'; */"],
    ['@velojs/core', 'src/index.test.ts', "import { readFileSync } from 'node:fs';"],
    ['@velojs/backend-wasm', 'src/index.ts', "import { reference } from '@velojs/core/reference';"],
    ['@velojs/weights', 'src/index.ts', "await import('#somewhere');"],
    ['@velojs/backend-tfjs', 'src/index.ts', "import { cpu } from '@velojs/backend-cpu';"],
    ['velojs', 'src/index.ts', "import { cpu } from '@velojs/backend-cpu';"],
  ])('what is allowed in %s passes: %s: %s', (name, file, source) => {
    expect(violations('packages/planted', manifest(name), file, source)).toEqual([]);
  });
});
