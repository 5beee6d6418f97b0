import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readSafetensors, type SafetensorsTensor, writeSafetensors } from '@velojs/weights';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const packed = join(root, 'packages/conformance/golden');
const NAME = '07-negative-losses';
const TIMEOUT = 60_000;

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'velojs-golden-'));
  for (const file of [`${NAME}.json`, `${NAME}.safetensors`, 'units.json'])
    copyFileSync(join(packed, file), join(directory, file));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function golden(...args: string[]): { status: number | null; lines: Record<string, unknown>[]; stderr: string } {
  const { INIT_CWD: _, ...env } = process.env;
  const command = ['--conditions=@velojs/source', '--import', 'tsx', 'tools/golden.ts', ...args];
  const { status, stdout, stderr } = spawnSync(process.execPath, command, { cwd: root, env, encoding: 'utf8' });
  const lines = stdout.split('\n').filter((line) => line !== '');
  return { status, lines: lines.map((line) => JSON.parse(line)), stderr };
}

/** Writes the case anew with one tensor changed; its manifest fits. */
function change(tensor: string, value: (data: Float32Array | Float64Array) => void): void {
  const manifest = JSON.parse(readFileSync(join(directory, `${NAME}.json`), 'utf8'));
  const { tensors, metadata } = readSafetensors(readFileSync(join(directory, manifest.file)));
  const copy = new Map<string, SafetensorsTensor>(
    [...tensors].map(([name, { shape, data }]) => [name, { shape, data: data.slice() }]),
  );
  value(copy.get(tensor)!.data);
  const bytes = writeSafetensors({ tensors: copy, metadata });
  writeFileSync(join(directory, manifest.file), bytes);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  writeFileSync(join(directory, `${NAME}.json`), JSON.stringify({ ...manifest, sha256, bytes: bytes.length }));
}

describe('npm run golden', { timeout: TIMEOUT }, () => {
  it('prints a line per case and kernel mode, and exits 0 if all pass', () => {
    const { status, lines } = golden(directory);
    expect(lines.map(({ case: name, kernels }) => [name, kernels])).toEqual([
      [NAME, 'composed'],
      ['units', 'composed'],
      [NAME, 'fused'],
      ['units', 'fused'],
    ]);
    for (const line of lines) {
      expect(Object.keys(line)).toEqual(['case', 'backend', 'kernels', 'maxDeviation', 'tolerance', 'pass']);
      expect(line).toMatchObject({ backend: 'cpu', tolerance: 1e-5, pass: true });
      expect(line.maxDeviation).toBeLessThan(1e-5);
    }
    expect(status).toBe(0);
  });

  it('is run by npm, which with --silent leaves stdout to the results', () => {
    const args = ['run', '--silent', 'golden', '--', directory, '--kernels', 'composed'];
    const shell = process.platform === 'win32';
    const { status, stdout } = spawnSync('npm', args, { cwd: root, encoding: 'utf8', shell });
    expect(stdout).toMatch(/^\{.*\}\n\{.*\}\n$/);
    expect(status).toBe(0);
  });

  it('names the silent command in its help', () => {
    const { status, lines, stderr } = golden('--help');
    expect([status, lines]).toEqual([0, []]);
    expect(stderr).toContain('npm run --silent golden -- DIR');
  });

  it('runs one mode, another backend, and losses on the device', () => {
    const fused = golden(directory, '--kernels', 'fused');
    expect(fused.lines.map(({ kernels }) => kernels)).toEqual(['fused', 'fused']);
    expect(fused.status).toBe(0);
    const device = golden(directory, '--backend', 'reference', '--kernels', 'composed', '--loss', 'device');
    expect(device.lines.map(({ backend }) => backend)).toEqual(['reference', 'reference']);
    expect(device.status).toBe(0);
  });

  it('runs only composed kernels where there are no others, and says so', () => {
    const { status, lines, stderr } = golden(directory, '--backend', 'reference');
    expect(lines.map(({ kernels }) => kernels)).toEqual(['composed', 'composed']);
    expect(stderr).toMatch(/no fused kernels/);
    expect(status).toBe(0);
  });

  it.each([
    ['expect.params.0', 'parameter 0'],
    ['expect.features', 'LSTM inputs'],
    ['expect.lr_mult', 'step factors'],
    ['final.m.0', 'final.m.0'],
    ['final.c', 'final.c'],
    ['theta.rnn_params.linear_1.b', ''],
  ])('exits 1 if %s differs', (tensor, worst) => {
    change(tensor, (data) => {
      data[data.length - 1]! += 0.1;
    });
    const { status, lines, stderr } = golden(directory, '--kernels', 'composed');
    expect(lines.map(({ pass }) => pass)).toEqual([false, true]);
    expect(stderr).toContain(`worst is ${worst}`);
    expect(status).toBe(1);
  });

  it('exits 1 on NaN', () => {
    change('expect.params.1', (data) => {
      data[0] = Number.NaN;
    });
    const { status, lines } = golden(directory, '--kernels', 'fused');
    expect(lines[0]).toMatchObject({ maxDeviation: null, pass: false });
    expect(status).toBe(1);
  });

  describe('exits 2 and runs nothing', () => {
    const data = `${NAME}.safetensors`;
    const damage = (edit: (bytes: Uint8Array) => Uint8Array) => {
      writeFileSync(join(directory, data), edit(readFileSync(join(directory, data))));
    };
    it.each<[string, RegExp, () => void]>([
      ['if a file is missing', /cannot be read/, () => rmSync(join(directory, data))],
      ['if a file is cut short', /bytes, not/, () => damage((bytes) => bytes.subarray(0, 1000))],
      ['if a checksum does not match', /SHA-256/, () => damage((bytes) => Uint8Array.from(bytes).with(9000, 1))],
      [
        'if a manifest cannot be read',
        /cannot be used/,
        () => writeFileSync(join(directory, `${NAME}.json`), '{"case":'),
      ],
      ['if the units cannot be read', /units.json/, () => writeFileSync(join(directory, 'units.json'), 'x')],
      ['if there are no cases', /has no cases/, () => rmSync(join(directory, `${NAME}.json`))],
      ['if there is no such folder', /ENOENT/, () => rmSync(directory, { recursive: true })],
    ])('%s', (_, message, prepare) => {
      prepare();
      const { status, lines, stderr } = golden(directory);
      expect(lines).toEqual([]);
      expect(stderr).toMatch(message);
      expect(status).toBe(2);
    });

    it.each<[string, RegExp, string[]]>([
      ['an unknown backend', /choose one of/, ['--backend', 'abacus']],
      ['fused kernels of a backend without any', /no fused kernels/, ['--backend', 'reference', '--kernels', 'fused']],
      ['an unknown kernel mode', /choose one of/, ['--kernels', 'all']],
      ['an unknown option', /Usage/, ['--fast']],
      ['a second folder', /Usage/, ['.']],
    ])('for %s', (_, message, args) => {
      const { status, lines, stderr } = golden(directory, ...args);
      expect(lines).toEqual([]);
      expect(stderr).toMatch(message);
      expect(status).toBe(2);
    });
  });
});
