/** The bench page: steps measured by the worker, a table, a file, and another file to compare with. */
import { BENCH_WORKLOADS } from '../engine/bench-workloads.ts';
import type { Engine, EngineEvent } from '../engine/client.ts';
import type { BenchBackendId, BenchResults, BenchRow, TimeShares } from '../engine/protocol.ts';
import { setUpTheme } from './colours.ts';
import { byId, element, saveFile } from './dom.ts';
import { formatNumber, formatPercent, formatTime } from './format.ts';
import { createMessages } from './messages.ts';

/** Of the training whose shares of time are shown. */
const SHARE_STEPS = 300;

export function runBench(createEngine: (onEvent: (event: EngineEvent) => void) => Engine): void {
  const form = byId<HTMLFormElement>('settings');
  const [start, stop, save] = ['start', 'stop', 'save'].map((id) => byId<HTMLButtonElement>(id)) as [
    HTMLButtonElement,
    HTMLButtonElement,
    HTMLButtonElement,
  ];
  const status = byId('status');
  const bar = byId<HTMLProgressElement>('progress');
  const messages = createMessages(byId('messages'));
  let results: BenchResults | null = null;
  let other: BenchResults | null = null;
  let measuring = false;
  let lost = false;
  let takeLostAway = () => {};
  /** Resolves when the short training is over. */
  let trained: ((shares: TimeShares | null) => void) | null = null;

  const engine = createEngine((event) => {
    if (event.type === 'ready') {
      const backends = [
        ...event.backends,
        'WebGL2RenderingContext' in globalThis
          ? { id: 'webgl' as const, available: true, note: 'TensorFlow.js, which is loaded for it; slow to begin.' }
          : { id: 'webgl' as const, available: false, note: 'This browser has no WebGL 2.' },
      ];
      byId('backends').replaceChildren(
        ...backends.map(({ id, available, note }) =>
          choice('backend', id, { label: id, note, checked: available && id !== 'webgl', disabled: !available }),
        ),
      );
      status.textContent = 'Ready.';
      lost = false;
      showButtons();
    }
    if (event.type === 'finished') trained?.(event.shares);
    if (event.type === 'fault') trained?.(null);
    if (event.type === 'lost') {
      lost = true;
      showButtons();
      takeLostAway = messages.add(event.message, { action: { label: 'Start it anew', run: restart } });
    }
    if (event.type === 'answers') {
      lost = false;
      showButtons();
      takeLostAway();
    }
  });

  function restart(): void {
    trained?.(null);
    engine.restart();
  }

  function showButtons(): void {
    start.disabled = measuring || lost;
    stop.disabled = !measuring || lost;
    save.disabled = measuring || results === null;
  }

  byId('workloads').append(
    ...BENCH_WORKLOADS.map(({ name, title }) =>
      choice('workload', name, { label: title, note: '', checked: true, disabled: false }),
    ),
  );

  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const values = new FormData(form);
    const backends = values.getAll('backend') as BenchBackendId[];
    const workloads = values.getAll('workload') as string[];
    if (workloads.length === 0) {
      status.textContent = 'Choose a network to measure.';
      return;
    }
    measuring = true;
    showButtons();
    messages.clear();
    try {
      results = await engine.bench(
        {
          backends,
          workloads,
          theta: values.get('theta') as 'default' | 'released size',
          budget: Number(values.get('budget')),
        },
        (text, share) => {
          status.textContent = `${text} …`;
          bar.value = share;
        },
      );
      show();
      if (results.complete) await showShare();
      status.textContent = results.complete ? 'Done.' : 'Stopped.';
    } catch (error) {
      status.textContent = 'Stopped.';
      messages.add((error as Error).message);
    } finally {
      bar.value = 0;
      measuring = false;
      showButtons();
    }
  });
  stop.addEventListener('click', () => {
    engine.stopBench();
    // Or the short training after it.
    engine.stop();
  });
  save.addEventListener('click', () => {
    if (!results) return;
    saveFile(`velojs-bench-${results.date.slice(0, 10)}.json`, `${JSON.stringify(results)}\n`, 'application/json');
  });
  byId<HTMLInputElement>('compare').addEventListener('change', async (event) => {
    const file = (event.currentTarget as HTMLInputElement).files?.[0];
    if (!file) return;
    try {
      other = readResults(await file.text());
      byId('compared').textContent = `${file.name}: ${describeEnvironment(other)}`;
    } catch {
      other = null;
      byId('compared').textContent = `${file.name} is not a file that this page saved.`;
    }
    show();
  });

  function show(): void {
    const shown = results ?? other;
    if (!shown) return;
    const table = byId<HTMLTableElement>('table');
    const heads = ['', 'backend', 'a step', 'quartiles', '× Adam', ...(other && results ? ['compared'] : [])];
    table.tHead!.replaceChildren(element('tr', {}, ...heads.map((text) => element('th', { scope: 'col' }, text))));
    const title = ({ workload, title, parameters, tensors }: BenchRow, before: BenchRow | undefined) =>
      before?.workload === workload
        ? element('th', {}, '')
        : element(
            'th',
            { scope: 'row', title: `${parameters.toLocaleString('en-GB')} parameters in ${tensors} tensors` },
            title,
          );
    table.tBodies[0]!.replaceChildren(
      ...shown.rows.map((row, i) => {
        const who = row.optimizer === 'adam' ? 'Adam, JavaScript' : `VeLO ${row.backend}`;
        const { time } = row;
        const cells = time
          ? [formatTime(time.median), `${formatTime(time.low)} to ${formatTime(time.high)}`, overAdam(shown, row)]
          : [row.fault ?? '-', '', ''];
        if (other && results) cells.push(against(other, row));
        return element(
          'tr',
          {},
          title(row, shown.rows[i - 1]),
          element('td', {}, who),
          ...cells.map((text) => element('td', {}, text)),
        );
      }),
    );
    byId('environment').textContent = describeEnvironment(shown);
  }

  /** Trains as the other page does, but with nothing drawn here: the share of training is the worker's own. */
  async function showShare(): Promise<void> {
    const chosen = form.querySelector<HTMLInputElement>('input[name=backend]:checked:not([value=webgl])');
    if (!chosen) return;
    status.textContent = 'Training spirals …';
    let longest = 0;
    let last = performance.now();
    const ticking = setInterval(() => {
      const now = performance.now();
      longest = Math.max(longest, now - last);
      last = now;
    }, 5);
    const shares = await new Promise<TimeShares | null>((resolve) => {
      trained = resolve;
      engine.start({
        task: { kind: 'made', name: 'spirals' },
        steps: SHARE_STEPS,
        seed: 0,
        backend: chosen.value as Exclude<BenchBackendId, 'webgl'>,
        theta: { kind: 'default' },
        opponents: [{ name: 'adam', learningRate: 0.001 }],
      });
    });
    clearInterval(ticking);
    trained = null;
    byId('share').textContent = shares
      ? `${formatPercent(shares.training)} of the worker’s time went to training (${chosen.value}), ${formatPercent(shares.evaluation)} to evaluation and pictures, ` +
        `${formatPercent(shares.inspection)} to looking inside, ${formatPercent(shares.other)} to messages. The page answered within ${formatTime(longest)}.`
      : 'The training failed.';
  }

  setUpTheme();
}

function choice(
  name: string,
  value: string,
  { label, note, checked, disabled }: { label: string; note: string; checked: boolean; disabled: boolean },
): HTMLElement {
  return element(
    'label',
    { class: disabled ? 'check missing' : 'check' },
    element('input', { type: 'checkbox', name, value, checked, disabled }),
    element('span', {}, element('b', {}, label), ' ', element('small', { class: 'faint' }, note)),
  );
}

/** @throws where the text is not of this page. */
function readResults(text: string): BenchResults {
  const read = JSON.parse(text) as BenchResults;
  if (read.format !== 'velojs-browser-bench' || read.version !== 1 || !Array.isArray(read.rows))
    throw new Error('another format');
  return read;
}

function overAdam({ rows }: BenchResults, { workload, time }: BenchRow): string {
  const adam = rows.find((row) => row.workload === workload && row.optimizer === 'adam')?.time;
  return adam && time ? formatNumber(Number((time.median / adam.median).toPrecision(2))) : '-';
}

function against({ rows }: BenchResults, row: BenchRow): string {
  const before = rows.find(
    (one) => one.workload === row.workload && one.optimizer === row.optimizer && one.backend === row.backend,
  )?.time;
  if (!before || !row.time) return '-';
  return `${formatTime(before.median)}, ${formatNumber(Number((row.time.median / before.median).toPrecision(2)))} ×`;
}

function describeEnvironment({ date, environment, theta }: BenchResults): string {
  const { userAgent, hardwareConcurrency, crossOriginIsolated, adapter } = environment;
  const gpu = adapter
    ? `; GPU: ${[adapter.vendor, adapter.architecture, adapter.description].filter(Boolean).join(' ')}`
    : '';
  return `${date.slice(0, 16).replace('T', ' ')}; ${theta.name}, H = ${theta.hiddenSize}, K = ${theta.bankSize}; ${hardwareConcurrency} processors${crossOriginIsolated ? '' : ', no threads'}${gpu}; ${userAgent}`;
}
