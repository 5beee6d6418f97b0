/// <reference types="vite/client" />
import { expect, it, vi } from 'vitest';
import page from './index.html?raw';

it('the page measures a workload and shows the report', { timeout: 300_000 }, async () => {
  document.body.innerHTML = page;
  await import('./page.ts');
  const form = document.querySelector('form')!;
  form.querySelector('select')!.value = 'tiny-mlp';
  form.querySelector('input')!.value = '1';
  form.querySelector('button')!.click();
  const status = () => document.querySelector('#status')!.textContent;
  await vi.waitFor(() => expect(status()).toBe('done'), { timeout: 240_000, interval: 200 });
  const report = document.querySelector('#report')!.textContent;
  expect(report).toMatch(/tiny MLP 2-16-16-2: 6 tensors, 354 parameters/);
  expect(report).toMatch(/^VeLO +starter/m);
  expect(report).toMatch(/^Adam/m);
  const results = await (await fetch(form.querySelector('a')!.href)).json();
  expect(results).toMatchObject({ format: 'velojs-webgpu-step', rounds: 1 });
});
