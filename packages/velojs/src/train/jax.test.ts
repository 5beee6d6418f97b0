import { afterEach, expect, it, vi } from 'vitest';

afterEach(() => vi.doUnmock('@jax-js/jax'));

it('says how to install jax-js where it is missing', async () => {
  vi.doMock('@jax-js/jax', () => {
    throw new Error('Cannot find package');
  });
  const { loadJax } = await import('./jax.ts');
  await expect(loadJax()).rejects.toMatchObject({
    code: 'BACKEND_UNAVAILABLE',
    message: expect.stringContaining('npm install @jax-js/jax@0.1.25'),
  });
});
