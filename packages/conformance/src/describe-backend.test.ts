import { VeloError } from '@velojs/core';
import { type ReferenceBackend, reference } from '@velojs/core/reference';
import { describe, expect, it } from 'vitest';
import { describeBackend, open } from './describe-backend.ts';

describe('a backend that cannot be created', () => {
  const unavailable = () => {
    throw new VeloError('BACKEND_UNAVAILABLE', 'No adapter.');
  };
  it('is skipped for the reason it gives', async () => {
    expect(await open('gpu', unavailable, false)).toBe('No adapter.');
  });
  it('fails where it is required', async () => {
    await expect(open('gpu', unavailable, true)).rejects.toThrow('gpu cannot be created');
  });
  it('fails for any other reason', async () => {
    const broken = async () => {
      throw new TypeError('no such function');
    };
    await expect(open('gpu', broken, false)).rejects.toThrow('gpu cannot be created');
  });
});

describeBackend('reference', {
  create: () => reference(),
  liveTensors: (backend: ReferenceBackend) => backend.liveTensors,
  skip: { kernels: 'it is what kernels are compared with', compiledCount: 'nothing is compiled' },
});
