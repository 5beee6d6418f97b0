import { expect, it } from 'vitest';
import './create-velo.test.ts';

it('runs in a page whose memory threads can share', () => {
  expect(globalThis).toMatchObject({ crossOriginIsolated: true });
  expect(new SharedArrayBuffer(8).byteLength).toBe(8);
});
