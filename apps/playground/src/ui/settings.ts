/** The form: what to train. */
import { DEFAULT_STEPS, TASK_NAMES } from 'velojs/training';
import type { BackendId, BackendState, DataSummary, SessionConfig, ThetaSource } from '../engine/protocol.ts';
import { MOMENTUM, readHidden, type Settings } from './address.ts';
import { byId, element } from './dom.ts';
import { createOpponents } from './opponents.ts';
import { createOwnData } from './own-data.ts';

/** Named as the command names them; drawn in 24 x 24. */
const TASKS: Readonly<Record<string, { label: string; about: string; icon: string }>> = {
  spirals: {
    label: 'Spirals',
    about: 'two in the plane',
    icon: '<path d="M12 12c1-3 5-2 5 1 0 5-9 6-10-1C6 5 14 2 19 6"/>',
  },
  glyphs: {
    label: 'Glyphs',
    about: 'drawn digits',
    icon: '<path d="M5 8l3-3v14M13 8c0-4 7-4 7 0 0 4-7 6-7 11h7"/>',
  },
  friedman: {
    label: 'Friedman',
    about: 'a regression',
    icon: '<path d="M3 18C8 18 8 6 13 6s4 7 8 7"/><path d="M6 12v0M10 17v0M15 9v0M18 15v0" stroke-width="3"/>',
  },
  own: { label: 'Your data', about: 'CSV or IDX', icon: '<path d="M12 15V4M8 8l4-4 4 4M4 15v5h16v-5"/>' },
};

export const DEFAULTS: Settings = {
  task: 'spirals',
  steps: DEFAULT_STEPS,
  seed: 0,
  hidden: null,
  batchSize: null,
  backend: null,
  opponents: [
    { name: 'adam', learningRate: 0.001 },
    { name: 'adam', learningRate: 0.01 },
    { name: 'sgd', learningRate: 0.1, momentum: MOMENTUM },
  ],
  theta: 'default',
};

export interface SettingsForm {
  get(): Settings;
  set(settings: Settings): void;
  /** Fills in the backends; chooses the one asked for, or else the first there is. @returns a sentence where it is missing. */
  setBackends(backends: readonly BackendState[]): string | null;
  /** What to start; null where something is missing, which the form then shows. */
  config(): Omit<SessionConfig, 'paused'> | null;
  /** Files that were dropped on the page. */
  takeData(files: readonly File[]): void;
  takeTheta(files: readonly File[]): void;
}

export function createSettings(hooks: {
  examine: (files: readonly File[]) => Promise<DataSummary>;
  onChange: () => void;
}): SettingsForm {
  const form = byId<HTMLFormElement>('settings');
  const field = <Field = HTMLInputElement>(name: string) => form.elements.namedItem(name) as unknown as Field;
  const [steps, hidden, batch, seed] = [field('steps'), field('hidden'), field('batch'), field('seed')];
  const theta = field<HTMLSelectElement>('theta');
  const thetaFile = byId<HTMLInputElement>('theta-file');
  const thetaNote = byId('theta-note');
  const ownPlace = byId('own-data');
  const backendsPlace = byId('backends');
  /** From the link, until the browser's backends are known; afterwards what was chosen. */
  let backend: BackendId | null = null;
  /** One, or PyLO's two. */
  let chosenTheta: readonly File[] = [];

  byId('tasks').append(
    ...[...new Set(['spirals', ...TASK_NAMES]), 'own'].map((name) => {
      const { label, about, icon } = TASKS[name] ?? { label: name, about: '', icon: '' };
      const picture = element('span', { class: 'icon', 'aria-hidden': 'true' });
      picture.innerHTML = `<svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round">${icon}</svg>`;
      return element(
        'label',
        {},
        element('input', { type: 'radio', name: 'task', value: name }),
        element('span', { class: 'choice' }, picture, element('b', {}, label), element('small', {}, about)),
      );
    }),
  );
  const own = createOwnData(ownPlace, { examine: hooks.examine, onChange: hooks.onChange });
  const opponents = createOpponents(byId('opponents'), {
    add: byId<HTMLButtonElement>('add-opponent'),
    sweep: byId<HTMLButtonElement>('add-sweep'),
    onChange: hooks.onChange,
  });

  const task = () => field<RadioNodeList>('task').value || DEFAULTS.task;
  const show = () => {
    ownPlace.hidden = task() !== 'own';
    thetaNote.hidden = theta.value === 'default';
    thetaNote.textContent =
      theta.value === 'velo'
        ? 'On Start this page asks the servers of Google and others for 9.3 MB, and keeps them in this browser.'
        : chosenTheta.length > 0
          ? `${chosenTheta.map(({ name }) => name).join(' and ')}. Any format that velojs reads; it stays in this page.`
          : 'No file chosen yet.';
    hidden.setCustomValidity(
      hidden.value.trim() === '' || readHidden(hidden.value) ? '' : 'Up to 8 widths from 1 to 4096, such as 64, 32.',
    );
  };
  const changed = () => {
    show();
    hooks.onChange();
  };
  form.addEventListener('input', changed);
  theta.addEventListener('change', () => {
    if (theta.value === 'file') thetaFile.click();
    changed();
  });
  thetaFile.addEventListener('change', () => {
    if (!thetaFile.files?.length) return;
    chosenTheta = [...thetaFile.files];
    theta.value = 'file';
    changed();
  });
  byId('another-seed').addEventListener('click', () => {
    seed.value = String((seed.valueAsNumber || 0) + 1);
    changed();
  });

  const thetaSource = (name: string): ThetaSource => {
    if (name === 'file') return { kind: 'files', files: chosenTheta };
    return name === 'default' ? { kind: 'default' } : { kind: 'known', name };
  };
  const get = (): Settings => ({
    task: task(),
    steps: steps.valueAsNumber || DEFAULTS.steps,
    seed: seed.valueAsNumber || 0,
    hidden: readHidden(hidden.value) ?? null,
    batchSize: batch.valueAsNumber || null,
    backend,
    opponents: opponents.get(),
    theta: theta.value,
  });

  return {
    get,
    set(settings) {
      const radio = form.querySelector<HTMLInputElement>(`input[name=task][value="${CSS.escape(settings.task)}"]`);
      if (radio) radio.checked = true;
      steps.value = String(settings.steps);
      seed.value = String(settings.seed);
      hidden.value = settings.hidden?.join(', ') ?? '';
      batch.value = settings.batchSize === null ? '' : String(settings.batchSize);
      opponents.set(settings.opponents);
      theta.value = settings.theta;
      if (settings.backend) {
        backend = settings.backend;
        const choice = backendsPlace.querySelector<HTMLInputElement>(`input[value="${backend}"]:enabled`);
        if (choice) choice.checked = true;
      }
      show();
    },
    setBackends(backends) {
      const asked = backends.find(({ id }) => id === backend);
      const chosen = asked?.available ? asked : backends.find(({ available }) => available);
      backendsPlace.replaceChildren(
        ...backends.map(({ id, available, note }) => {
          const radio = element('input', {
            type: 'radio',
            name: 'backend',
            value: id,
            checked: id === chosen?.id,
            disabled: !available,
          });
          radio.addEventListener('change', () => {
            backend = id;
          });
          return element(
            'label',
            { class: available ? 'check' : 'check missing' },
            radio,
            element('span', {}, element('b', {}, id), ' ', element('small', { class: 'faint' }, note)),
          );
        }),
      );
      backend = chosen?.id ?? null;
      return asked && !asked.available && chosen
        ? `This link asks for ${asked.id}, which is missing here: ${asked.note} VeLO runs on ${chosen.id} instead.`
        : null;
    },
    config() {
      show();
      if (!form.reportValidity()) return null;
      const settings = get();
      if (settings.backend === null) return null;
      if (settings.task === 'own' && !own.source) {
        ownPlace.querySelector('input')?.focus();
        return null;
      }
      if (settings.theta === 'file' && chosenTheta.length === 0) {
        theta.focus();
        return null;
      }
      return {
        task: settings.task === 'own' ? own.source! : { kind: 'made', name: settings.task },
        hidden: settings.hidden ?? undefined,
        steps: settings.steps,
        batchSize: settings.batchSize ?? undefined,
        seed: settings.seed,
        backend: settings.backend,
        theta: thetaSource(settings.theta),
        opponents: settings.opponents,
      };
    },
    takeData(files) {
      form.querySelector<HTMLInputElement>('input[name=task][value=own]')!.checked = true;
      show();
      void own.take(files);
      hooks.onChange();
    },
    takeTheta(files) {
      chosenTheta = files;
      theta.value = 'file';
      changed();
    },
  };
}
