/** The benchmark of `webgpu-step.ts` in a browser. */
import { gpuReport } from '../webgpu-step/report.ts';
import { runGpuSuite } from '../webgpu-step/suite.ts';
import { GPU_WORKLOADS } from '../webgpu-step/workloads.ts';

const form = document.querySelector('form')!;
const choice = form.querySelector('select')!;
const button = form.querySelector('button')!;
const link = form.querySelector('a')!;
const status = document.querySelector('#status')!;
const report = document.querySelector('#report')!;

choice.add(new Option('all', ''));
for (const { name, title } of GPU_WORKLOADS) choice.add(new Option(title, name));

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  const values = new FormData(form);
  button.disabled = true;
  report.textContent = '';
  link.hidden = true;
  try {
    if (!navigator.gpu)
      throw new Error('This browser has no WebGPU, or the page does not come from https or localhost.');
    const results = await runGpuSuite({
      gpu: navigator.gpu,
      only: String(values.get('only')) || null,
      rounds: Number(values.get('rounds')),
      where: navigator.userAgent,
      say: (text) => {
        status.textContent = `${text} ...`;
      },
    });
    report.textContent = gpuReport(results);
    link.href = URL.createObjectURL(new Blob([JSON.stringify(results)], { type: 'application/json' }));
    link.hidden = false;
    status.textContent = 'done';
  } catch (error) {
    status.textContent = error instanceof Error ? error.message : String(error);
  } finally {
    button.disabled = false;
  }
});
