/** The rows of opponents: which optimizer, at which learning rate. VeLO's row stands in the page and has no slider. */
import { ADAM_DEFAULT_RATE, SWEEP } from 'velojs/training';
import type { OpponentSpec } from '../engine/protocol.ts';
import { MOMENTUM } from './address.ts';
import { MOST_OPPONENTS } from './colours.ts';
import { element } from './dom.ts';
import { swatch } from './pictures/canvas.ts';
import { nearestRate, RATES } from './rates.ts';

const KINDS = {
  adam: {
    label: 'Adam',
    rate: ADAM_DEFAULT_RATE,
    make: (learningRate: number): OpponentSpec => ({ name: 'adam', learningRate }),
  },
  'adam-cosine': {
    label: 'Adam, cosine decay',
    rate: 0.01,
    make: (learningRate: number): OpponentSpec => ({ name: 'adam', learningRate, decay: 'cosine' }),
  },
  sgd: {
    label: `SGD, momentum ${MOMENTUM}`,
    rate: 0.1,
    make: (learningRate: number): OpponentSpec => ({ name: 'sgd', learningRate, momentum: MOMENTUM }),
  },
};
type KindName = keyof typeof KINDS;

const kindOf = (spec: OpponentSpec): KindName => {
  if (spec.name === 'sgd') return 'sgd';
  return spec.decay === 'cosine' ? 'adam-cosine' : 'adam';
};

export interface Opponents {
  get(): readonly OpponentSpec[];
  set(specs: readonly OpponentSpec[]): void;
}

export function createOpponents(
  place: HTMLElement,
  { add, sweep, onChange }: { add: HTMLButtonElement; sweep: HTMLButtonElement; onChange: () => void },
): Opponents {
  let specs: OpponentSpec[] = [];

  const change = (next: readonly OpponentSpec[]) => {
    specs = [...next];
    show();
    onChange();
  };

  function show(): void {
    place.replaceChildren(...specs.map(row));
    add.disabled = specs.length >= MOST_OPPONENTS;
    sweep.disabled = missingOfSweep().length === 0 || specs.length + missingOfSweep().length > MOST_OPPONENTS;
  }

  function row(spec: OpponentSpec, i: number): HTMLElement {
    const number = i + 1;
    const kind = element(
      'select',
      { 'aria-label': `Opponent ${number}` },
      ...Object.entries(KINDS).map(([name, { label }]) =>
        element('option', { value: name, selected: name === kindOf(spec) }, label),
      ),
    );
    const slider = element('input', {
      type: 'range',
      min: 0,
      max: RATES.length - 1,
      value: nearestRate(spec.learningRate),
      'aria-label': `Learning rate of opponent ${number}`,
      'aria-valuetext': String(spec.learningRate),
    });
    const value = element('output', {}, String(spec.learningRate));
    const remove = element(
      'button',
      { type: 'button', class: 'quiet', 'aria-label': `Remove opponent ${number}` },
      '×',
    );
    kind.addEventListener('change', () => {
      const { make, rate } = KINDS[kind.value as KindName];
      change(specs.with(i, make(rate)));
      place.querySelectorAll('select')[i]?.focus();
    });
    slider.addEventListener('input', () => {
      const rate = RATES[slider.valueAsNumber]!;
      specs[i] = { ...specs[i]!, learningRate: rate };
      value.textContent = String(rate);
      slider.setAttribute('aria-valuetext', String(rate));
      onChange();
    });
    remove.addEventListener('click', () => {
      change(specs.toSpliced(i, 1));
      (place.querySelectorAll('button')[Math.min(i, specs.length - 1)] ?? add).focus();
    });
    return element(
      'div',
      { class: 'opponent', role: 'group', 'aria-label': `Opponent ${number}` },
      swatch(number),
      kind,
      remove,
      slider,
      value,
    );
  }

  const missingOfSweep = () =>
    SWEEP.filter((rate) => !specs.some((spec) => kindOf(spec) === 'adam' && spec.learningRate === rate));
  add.addEventListener('click', () => {
    change([...specs, KINDS.adam.make(ADAM_DEFAULT_RATE)]);
    place.querySelectorAll('select')[specs.length - 1]?.focus();
  });
  sweep.addEventListener('click', () => change([...specs, ...missingOfSweep().map(KINDS.adam.make)]));
  return {
    get: () => specs,
    set(next) {
      specs = [...next];
      show();
    },
  };
}
