/** What VeLO does: step factors and relative updates per tensor over time, and the network that it generated for one. */
import type { Response } from '../engine/protocol.ts';
import { align, Chart } from './chart.ts';
import { byId, element } from './dom.ts';
import { formatNumber } from './format.ts';
import type { Session } from './session.ts';

export interface InsideView {
  show(session: Session): void;
  update(): void;
}

export function createInside(watch: (tensor: number) => void): InsideView {
  const place = byId('tensors');
  const watched = byId<HTMLSelectElement>('watched');
  const responseChart = new Chart(byId('response-chart'));
  const note = byId('response-note');
  let session: Session | null = null;
  let charts: { factor: Chart; update: Chart }[] = [];
  let drawnRows = 0;
  let drawn: Response | null = null;
  let configuredFor = '';

  watched.addEventListener('change', () => {
    if (!session) return;
    session.responses = [];
    drawn = null;
    watch(Number(watched.value));
  });

  const options = (label: string, logY: boolean, steps: number) => ({
    label,
    height: 92,
    lines: [{ colour: '--velo', width: 1.6 }],
    logY,
    xMost: steps,
    small: true,
    together: 'inside',
  });

  function drawTensors(): void {
    const { step, stepFactor, relativeUpdate } = session!.inspection;
    if (step.length === drawnRows) return;
    drawnRows = step.length;
    charts.forEach(({ factor, update }, tensor) => {
      factor.setData([step.values.slice(), stepFactor[tensor]!.values.slice()]);
      const positive = Array.from(relativeUpdate[tensor]!.values, (value) => (value > 0 ? value : null));
      update.setData([step.values.slice(), positive]);
    });
  }

  function drawResponse(): void {
    const responses = session!.responses;
    const last = responses.at(-1);
    if (!last || last === drawn) return;
    drawn = last;
    const data = align(responses.map(({ gradient, update }) => ({ x: gradient, ys: [update] })));
    const key = `${last.tensor}/${responses.length}`;
    if (key === configuredFor && responseChart.configured) responseChart.setData(data);
    else {
      configuredFor = key;
      responseChart.configure(
        {
          label: `Update against gradient for ${session!.started.tensors[last.tensor]!.name}`,
          height: 220,
          lines: responses.map((_, i) =>
            i === responses.length - 1
              ? { colour: '--velo', width: 2.4 }
              : { colour: '--velo', width: 1, opacity: 0.12 + (0.3 * i) / responses.length },
          ),
          xUnit: 'number',
          symmetric: true,
          small: true,
        },
        data,
      );
    }
    note.textContent =
      `Update (up) against gradient (right) of one entry after step ${last.step.toLocaleString('en-GB')}, everything else that the network reads at its mean; ` +
      `faint: earlier steps. Gradients here are about ${formatNumber(last.gradientScale)}, entries about ${formatNumber(last.parameterScale)}.`;
  }

  return {
    show(next) {
      session = next;
      [drawnRows, drawn, configuredFor] = [0, null, ''];
      responseChart.clear();
      note.textContent = '';
      const { tensors, task } = next.started;
      for (const { factor, update } of charts) {
        factor.close();
        update.close();
      }
      charts = [];
      place.replaceChildren(
        element(
          'p',
          { class: 'heads faint', 'aria-hidden': 'true' },
          element('span', {}, 'step factor'),
          element('span', {}, 'relative update'),
        ),
        ...tensors.map(({ name, shape }) => {
          const [factor, update] = [element('div', { class: 'chart' }), element('div', { class: 'chart' })];
          charts.push({ factor: new Chart(factor), update: new Chart(update) });
          return element(
            'div',
            { class: 'tensor' },
            element('h3', {}, name, ' ', element('small', { class: 'faint' }, shape.join(' × '))),
            factor,
            update,
          );
        }),
      );
      charts.forEach(({ factor, update }, tensor) => {
        const { name } = tensors[tensor]!;
        factor.configure(options(`Step factor of ${name} against steps`, false, task.steps), [[], []]);
        update.configure(options(`Relative update of ${name} against steps, logarithmic`, true, task.steps), [[], []]);
      });
      const before = watched.value;
      watched.replaceChildren(...tensors.map(({ name }, i) => element('option', { value: i }, name)));
      watched.disabled = false;
      watched.value = Number(before) < tensors.length ? before || '0' : '0';
      watch(Number(watched.value));
    },
    update() {
      if (!session) return;
      drawTensors();
      drawResponse();
    },
  };
}
