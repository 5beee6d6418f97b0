/** Loss against steps or time. */
import { align, Chart, type ChartData, type Line } from './chart.ts';
import { runColourName } from './colours.ts';
import { byId, element } from './dom.ts';
import { formatNumber, formatTime } from './format.ts';
import { swatch } from './pictures/canvas.ts';
import type { Session } from './session.ts';
import { smooth } from './smooth.ts';

export interface LossPanel {
  /** Another session, from its beginning. */
  show(session: Session): void;
  /** Draws what is new. */
  update(): void;
}

export function createLossPanel(): LossPanel {
  const chart = new Chart(byId('loss-chart'));
  const legend = byId('legend');
  const note = byId('loss-note');
  const axes = [...document.querySelectorAll<HTMLInputElement>('input[name=axis]')];
  const [logX, logY, smoothing] = ['log-x', 'log-y', 'smoothing'].map((id) => byId<HTMLInputElement>(id)) as [
    HTMLInputElement,
    HTMLInputElement,
    HTMLInputElement,
  ];
  let session: Session | null = null;
  let hidden = new Set<number>();
  let values: HTMLElement[] = [];
  let cursor: readonly (number | null)[] | null = null;
  let data: ChartData = [[]];

  const overTime = () => axes.find(({ checked }) => checked)?.value === 'time';
  /** In steps: from nothing to a tenth of all, each position twice as much. */
  const span = () => {
    const position = smoothing.valueAsNumber;
    return session && position > 0 ? (session.started.task.steps / 10) * 2 ** (position - 7) : 0;
  };
  /** Runs in drawing order: VeLO last, on top. */
  const order = () => (session ? session.runs.map((_, run) => run).reverse() : []);

  /** Per run as measured and smoothed; what a logarithmic axis cannot show is left out. */
  function collect(): ChartData {
    const shown = (loss: Float64Array) =>
      Array.from(loss, (value) => (Number.isFinite(value) && (value > 0 || !logY.checked) ? value : null));
    const curves = order().map((run) => {
      const { curve } = session!.runs[run]!;
      const raw = curve.loss.values;
      const smoothed =
        span() > 0 ? shown(smooth(curve.step.values, raw, span())) : raw.length ? new Array(raw.length).fill(null) : [];
      const x = overTime() ? curve.time.values : curve.step.values;
      return { x, ys: [shown(raw), smoothed] };
    });
    return align(curves as never);
  }

  function lines(): Line[] {
    const smoothed = span() > 0;
    return order().flatMap((run): Line[] => {
      const show = !hidden.has(run);
      const line = { colour: runColourName(run), width: run === 0 ? 2.6 : 1.7 };
      return [
        { ...line, opacity: smoothed ? 0.22 : 1, ...(smoothed ? { width: 1 } : {}), show },
        { ...line, show: show && smoothed },
      ];
    });
  }

  function configure(): void {
    smoothing.setAttribute(
      'aria-valuetext',
      span() > 0 ? `${formatNumber(Number(span().toPrecision(2)))} steps` : 'off',
    );
    byId('smoothing-value').textContent = span() > 0 ? `${formatNumber(Number(span().toPrecision(2)))} steps` : 'off';
    data = session ? collect() : [[]];
    chart.configure(
      {
        label: `Training loss against ${overTime() ? 'time' : 'steps'}`,
        height: 320,
        lines: lines(),
        logX: logX.checked,
        logY: logY.checked,
        xUnit: overTime() ? 'time' : 'step',
        xMost: overTime() ? 0 : (session?.started.task.steps ?? 600),
        onCursor: (indices) => {
          cursor = indices;
          showValues();
        },
      },
      data,
    );
  }

  function showValues(): void {
    if (!session) return;
    const drawn = order();
    drawn.forEach((run, i) => {
      const { curve, loss, fault } = session!.runs[run]!;
      // Of the two lines the smoothed one, if there is one.
      const line = 2 * i + (span() > 0 ? 1 : 0);
      const index = cursor?.[line] ?? null;
      const at = index === null ? undefined : data[line + 1]?.[index];
      const text =
        cursor && at !== undefined && at !== null
          ? formatNumber(at)
          : fault && !Number.isFinite(loss)
            ? 'diverged'
            : curve.loss.length > 0
              ? formatNumber(lastShown(data[line + 1]) ?? loss)
              : '';
      const place = values[run]!;
      if (place.textContent !== text) place.textContent = text;
    });
    const index = cursor?.find((one) => one !== null);
    const x = index === null || index === undefined ? undefined : data[0][index];
    const words =
      x === undefined
        ? ''
        : overTime()
          ? ` Values at ${formatTime(x)}.`
          : ` Values at step ${x.toLocaleString('en-GB')}.`;
    note.textContent = `${session.started.task.kind === 'classification' ? 'Cross-entropy' : 'Mean squared error'} of the training batches; time is gradients and updates alone.${words}`;
  }

  const reconfigure = () => {
    configure();
    showValues();
  };
  for (const control of [...axes, logX, logY]) control.addEventListener('change', reconfigure);
  smoothing.addEventListener('input', reconfigure);
  configure();

  return {
    show(next) {
      session = next;
      hidden = new Set();
      cursor = null;
      values = next.runs.map(() => element('span', { class: 'value' }));
      legend.replaceChildren(
        ...next.runs.map(({ label }, run) => {
          const button = element(
            'button',
            { type: 'button', 'aria-pressed': 'true', title: 'Show or hide' },
            swatch(run),
            `${label} `,
            values[run]!,
          );
          button.addEventListener('click', () => {
            if (!hidden.delete(run)) hidden.add(run);
            button.setAttribute('aria-pressed', String(!hidden.has(run)));
            reconfigure();
          });
          return element('li', {}, button);
        }),
      );
      reconfigure();
    },
    update() {
      if (!session) return;
      data = collect();
      chart.setData(data);
      showValues();
    },
  };
}

function lastShown(line: ArrayLike<number | null | undefined> | undefined): number | null {
  for (let i = (line?.length ?? 0) - 1; i >= 0; i--) {
    const value = line![i];
    if (value !== null && value !== undefined) return value;
  }
  return null;
}
