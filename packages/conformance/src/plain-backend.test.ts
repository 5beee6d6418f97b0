import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { describeBackend } from './describe-backend.ts';
import { plain } from './plain-backend.ts';

const text = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8');

describe('docs/writing-a-backend.md', () => {
  const blocks = [...text('../../../docs/writing-a-backend.md').matchAll(/^```ts\n(.*?)^```$/gms)].map(
    ([, code]) => code,
  );

  it('opens with the backend that is tested here', () => {
    expect(blocks[0]).toBe(text('./plain-backend.ts'));
  });

  it('shows the call that tests it', () => {
    const call = blocks[1]!.slice(blocks[1]!.indexOf('describeBackend('));
    expect(text('./plain-backend.test.ts')).toContain(call);
  });
});

describeBackend('plain', {
  create: plain,
  skip: {
    kernels: 'composed only',
    hostMemory: 'optional',
    badTensors: 'nothing looks at them',
    disposed: 'garbage collection frees tensors',
    liveTensors: 'garbage collection frees tensors',
    compiledCount: 'nothing is compiled',
  },
});
