/** The style sheet's colours, for canvases; and light or dark, as the system has it or as was chosen. */
import { byId, element } from './dom.ts';

const THEMES = ['system', 'light', 'dark'] as const;
const KEY = 'velojs-playground-theme';

let probe: HTMLElement | undefined;
const known = new Map<string, string>();
const listeners = new Set<() => void>();

/** The value of a colour of the style sheet (`--velo`), as `rgb(...)`. */
export function colour(name: string): string {
  let value = known.get(name);
  if (value === undefined) {
    probe ??= document.body.appendChild(element('i', { hidden: true }));
    probe.style.color = `var(${name})`;
    value = getComputedStyle(probe).color;
    known.set(name, value);
  }
  return value;
}

/** The same as numbers from 0 to 255. */
export function colourNumbers(name: string): readonly [number, number, number] {
  const [red = 0, green = 0, blue = 0] = (colour(name).match(/[\d.]+/g) ?? []).map(Number);
  return [red, green, blue];
}

/** So many opponents have a colour of their own; as many as a chart can show. */
export const MOST_OPPONENTS = 8;

/** Colour of a run: 0 is VeLO. */
export const runColourName = (run: number): string =>
  run === 0 ? '--velo' : `--run-${((run - 1) % MOST_OPPONENTS) + 1}`;

/** @returns what ends it. */
export function onColourChange(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** The button with the id `theme` goes round: system, light, dark. */
export function setUpTheme(): void {
  const button = byId<HTMLButtonElement>('theme');
  let theme = stored();
  const apply = () => {
    document.documentElement.dataset.theme = theme;
    const name = { system: 'Auto', light: 'Light', dark: 'Dark' }[theme];
    button.textContent = name;
    button.setAttribute('aria-label', `Colours: ${name}. Change`);
    changed();
  };
  button.addEventListener('click', () => {
    theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length]!;
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      // Storage may be forbidden: then the choice lasts as long as the page.
    }
    apply();
  });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', changed);
  apply();
}

function stored(): (typeof THEMES)[number] {
  try {
    const value = localStorage.getItem(KEY);
    return THEMES.find((theme) => theme === value) ?? 'system';
  } catch {
    return 'system';
  }
}

function changed(): void {
  known.clear();
  for (const listener of listeners) listener();
}
