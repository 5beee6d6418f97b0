/** The page: the form on one side, what the worker tells on the other. */
import { TASK_NAMES } from 'velojs/training';
import type { Engine, EngineEvent } from '../engine/client.ts';
import type { BackendState } from '../engine/protocol.ts';
import { readAddress, writeAddress } from './address.ts';
import { commandOf, TEN_LINES } from './code.ts';
import { MOST_OPPONENTS, onColourChange, setUpTheme } from './colours.ts';
import { byId, copyText, saveFile, scheduler } from './dom.ts';
import { curvesCsv, curvesJson } from './downloads.ts';
import { formatTime } from './format.ts';
import { createInside } from './inside.ts';
import { createLossPanel } from './loss-panel.ts';
import { createMessages } from './messages.ts';
import { createPicture, type PictureView } from './pictures/index.ts';
import { createResultsTable } from './results-table.ts';
import { Session } from './session.ts';
import { createSettings, DEFAULTS } from './settings.ts';

/** `lost`: there is no worker. `idle`: it waits for a first start. */
type Phase = 'loading' | 'idle' | 'starting' | 'running' | 'paused' | 'finished' | 'lost';

const THETA_FILE = /\.(theta|safetensors|msgpack|npz|pkl|pt|bin|params)$/i;
/** Who asks for less motion sees the page change once a second. */
const stillness = matchMedia('(prefers-reduced-motion: reduce)');

export function runPlayground(createEngine: (onEvent: (event: EngineEvent) => void) => Engine): void {
  const messages = createMessages(byId('messages'));
  const loss = createLossPanel();
  const table = createResultsTable();
  const [startButton, stepButton, restartButton, stopButton] = ['start', 'step', 'restart', 'stop'].map((id) =>
    byId<HTMLButtonElement>(id),
  ) as [HTMLButtonElement, HTMLButtonElement, HTMLButtonElement, HTMLButtonElement];
  const status = byId('status');
  const bar = byId<HTMLProgressElement>('progress');

  let phase: Phase = 'loading';
  let session: Session | null = null;
  let picture: PictureView | null = null;
  /** The link of what was started last. */
  let link = '';
  let stepOnStart = false;
  let beforeLost: { phase: Phase; text: string } = { phase: 'idle', text: '' };
  let takeLostAway = () => {};

  const engine = createEngine((event) => onEvent(event));
  const inside = createInside((tensor) => engine.watch(tensor));
  const settings = createSettings({ examine: (files) => engine.examine(files), onChange: settingsChanged });

  const drawNow = () => {
    loss.update();
    picture?.update();
    table.update();
    inside.update();
    showProgress();
  };
  const draw = scheduler(drawNow, () => (stillness.matches ? 1000 : 90));

  function onEvent(event: EngineEvent): void {
    switch (event.type) {
      case 'ready':
        onReady(event.backends);
        break;
      case 'starting':
        say(`${event.text} …`);
        break;
      case 'started':
        session = new Session(event);
        messages.clear();
        loss.show(session);
        table.show(session);
        picture?.close();
        picture = createPicture(byId('picture'), session);
        picture.update();
        inside.show(session);
        setPhase(stepOnStart ? 'paused' : 'running');
        if (stepOnStart) engine.step();
        stepOnStart = false;
        break;
      case 'progress':
        if (!session) return;
        for (const { run, steps, loss, time, points } of event.runs) {
          const state = session.runs[run]!;
          Object.assign(state, { steps, loss, time });
          session.addPoints(state, points);
        }
        session.shares = event.shares;
        draw();
        break;
      case 'evaluation':
        if (!session) return;
        for (const evaluation of event.runs) session.runs[evaluation.run]!.evaluation = evaluation;
        draw();
        break;
      case 'inspection':
        session?.addInspection(event);
        draw();
        break;
      case 'response':
        session?.addResponse(event);
        draw();
        break;
      case 'paused':
        setPhase(event.paused ? 'paused' : 'running');
        break;
      case 'runFault':
        if (!session) return;
        session.runs[event.run]!.fault = event.fault;
        messages.add(
          `${session.runs[event.run]!.label} ended at step ${event.step.toLocaleString('en-GB')}: ${event.fault.message}` +
            (session.runs.some(({ fault }) => !fault) ? ' The others go on.' : ''),
        );
        draw();
        break;
      case 'finished':
        if (!session) return;
        for (const result of event.runs) {
          const state = session.runs[result.run]!;
          state.result = result;
          state.steps = result.steps;
        }
        session.shares = event.shares;
        setPhase('finished');
        table.conclude();
        // Who hears that it has finished may look at once.
        drawNow();
        say(event.complete ? 'Finished.' : 'Stopped.');
        break;
      case 'fault':
        messages.add(event.fault.message);
        say(phase === 'starting' ? 'Not started.' : 'Ended by a fault.');
        setPhase('idle');
        break;
      case 'lost':
        beforeLost = { phase, text: status.textContent };
        setPhase('lost');
        say('The training does not answer.');
        takeLostAway = messages.add(event.message, { action: { label: 'Start it anew', run: restartWorker } });
        break;
      case 'answers':
        takeLostAway();
        setPhase(beforeLost.phase);
        say(beforeLost.text);
        break;
    }
  }

  function onReady(backends: readonly BackendState[]): void {
    const complaint = settings.setBackends(backends);
    if (complaint) messages.add(complaint, { kind: 'note' });
    if (!backends.some(({ available }) => available)) {
      say('This browser can run none of the backends.');
      return;
    }
    setPhase('idle');
    say('Ready.');
    settingsChanged();
  }

  function restartWorker(): void {
    setPhase('loading');
    say('Starting …');
    engine.restart();
  }

  function start({ paused }: { paused: boolean }): void {
    const config = settings.config();
    if (!config) {
      say('Something is missing in the form: see there.');
      return;
    }
    stepOnStart = paused;
    setPhase('starting');
    say('Starting …');
    link = address();
    history.replaceState(null, '', link);
    engine.start({ ...config, paused });
  }

  function setPhase(next: Phase): void {
    phase = next;
    const active = next === 'running' || next === 'paused';
    startButton.textContent = next === 'running' ? 'Pause' : next === 'paused' ? 'Resume' : 'Start';
    startButton.disabled = next === 'loading' || next === 'lost' || next === 'starting';
    stepButton.disabled = startButton.disabled || next === 'running';
    restartButton.disabled = !active && next !== 'finished';
    stopButton.disabled = !active && next !== 'starting';
    document.body.dataset.phase = next;
    for (const id of ['save-csv', 'save-json', 'save-state'])
      byId<HTMLButtonElement>(id).disabled = !active && next !== 'finished';
    if (next === 'running') say('Training …');
    if (next === 'paused') say('Paused.');
    showProgress();
  }

  function showProgress(): void {
    if (!session) return;
    const { steps } = session.started.task;
    bar.max = steps;
    bar.value = Math.min(steps, session.steps);
    const time = Math.max(...session.runs.map((run) => run.time));
    byId('progress-text').textContent =
      `${session.steps.toLocaleString('en-GB')} of ${steps.toLocaleString('en-GB')} steps`;
    byId('describe').textContent = describe(session, time);
  }

  const say = (text: string) => {
    status.textContent = text;
  };

  function settingsChanged(): void {
    byId('command').textContent = commandOf(settings.get());
  }

  /** The page's address with the settings in it. */
  function address(): string {
    const url = new URL(location.href);
    url.hash = writeAddress(settings.get());
    return url.href;
  }

  function readLink(): void {
    const { settings: read, complaints } = readAddress(location.hash, {
      defaults: DEFAULTS,
      tasks: TASK_NAMES,
      most: MOST_OPPONENTS,
    });
    settings.set(read);
    settingsChanged();
    for (const complaint of complaints) messages.add(complaint, { kind: 'note' });
    if (read.task === 'own')
      messages.add('This link is of somebody’s own files, which no link can hold: choose yours.', { kind: 'note' });
  }

  byId<HTMLFormElement>('settings').addEventListener('submit', (event) => {
    event.preventDefault();
    if (phase === 'running') engine.pause();
    else if (phase === 'paused') engine.resume();
    else if (phase === 'idle' || phase === 'finished') start({ paused: false });
  });
  stepButton.addEventListener('click', () => {
    if (phase === 'paused') engine.step();
    else start({ paused: true });
  });
  restartButton.addEventListener('click', () => start({ paused: false }));
  stopButton.addEventListener('click', () => engine.stop());
  addEventListener('hashchange', readLink);
  // Its own address would be read as a link.
  document.querySelector('.skip')!.addEventListener('click', (event) => {
    event.preventDefault();
    byId('results').focus();
  });

  byId<HTMLButtonElement>('copy-link').addEventListener(
    'click',
    (event) => void copyText(event.currentTarget as HTMLButtonElement, address()),
  );
  byId('code').textContent = TEN_LINES;
  byId<HTMLButtonElement>('copy-code').addEventListener(
    'click',
    (event) => void copyText(event.currentTarget as HTMLButtonElement, TEN_LINES),
  );

  const fileName = (end: string) =>
    `velojs-${session!.started.task.name.replace(/[^\w.-]+/g, '-')}-seed-${session!.started.seed}${end}`;
  const save = (id: string, make: () => Promise<void>) => {
    byId<HTMLButtonElement>(id).addEventListener('click', async () => {
      try {
        await make();
      } catch (error) {
        messages.add((error as Error).message);
      }
    });
  };
  save('save-csv', async () => saveFile(fileName('.csv'), curvesCsv(await engine.exportCurves()), 'text/csv'));
  save('save-json', async () => {
    const { task, seed, backend } = session!.started;
    const curves = await engine.exportCurves();
    saveFile(fileName('.json'), curvesJson(curves, { link, task, seed, backend: backend.id }), 'application/json');
  });
  save('save-state', async () => {
    const { name, bytes } = await engine.exportState();
    saveFile(name, bytes, 'application/octet-stream');
  });

  setUpDrop((files) => {
    const theta = files.filter(({ name }) => THETA_FILE.test(name));
    const data = files.filter((file) => !theta.includes(file));
    if (theta.length > 0) settings.takeTheta(theta);
    if (data.length > 0) settings.takeData(data);
  });
  setUpTheme();
  onColourChange(draw);
  setPhase('loading');
  readLink();
}

function describe({ started: { task, backend, theta }, runs }: Session, time: number): string {
  return (
    `${task.title[0]!.toUpperCase()}${task.title.slice(1)}: network ${task.layers.join('-')}, ${task.parameterCount.toLocaleString('en-GB')} parameters, ` +
    `batches of ${task.batchSize} of ${task.trainCount.toLocaleString('en-GB')} examples. VeLO on ${backend.id} (${backend.note}), ${theta.name} ` +
    `(H = ${theta.hiddenSize}, K = ${theta.bankSize}), ${opponents(runs.length - 1)}.${time > 0 ? ` Trained for ${formatTime(time)} each at most.` : ''}`
  );
}

const opponents = (count: number): string =>
  count === 0 ? 'alone' : `beside ${count === 1 ? 'one opponent' : `${count} opponents`}`;

/** Files dropped anywhere on the page. */
function setUpDrop(take: (files: File[]) => void): void {
  const sign = byId('drop');
  const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes('Files') ?? false;
  addEventListener('dragover', (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    sign.hidden = false;
  });
  addEventListener('dragleave', (event) => {
    if (event.relatedTarget === null) sign.hidden = true;
  });
  addEventListener('drop', (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    sign.hidden = true;
    take([...(event.dataTransfer?.files ?? [])]);
  });
}
