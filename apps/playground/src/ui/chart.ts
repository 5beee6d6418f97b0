/** Line charts on uPlot, in the page's colours, as wide as the page lets them be, that keys can read too. */
import uPlot from 'uplot';
import { logTicks } from 'velojs/training';
import { colour, onColourChange } from './colours.ts';
import { formatNumber } from './format.ts';

export interface Line {
  /** Of the style sheet: `--velo`. */
  readonly colour: string;
  readonly width: number;
  /** 0 to 1. */
  readonly opacity?: number;
  readonly dash?: readonly number[];
  readonly show?: boolean;
}

export interface ChartOptions {
  readonly label: string;
  readonly height: number;
  readonly lines: readonly Line[];
  readonly logX?: boolean;
  readonly logY?: boolean;
  readonly xUnit?: 'step' | 'time' | 'number';
  /** Right end of the horizontal axis while fewer points are there. */
  readonly xMost?: number;
  /** Vertical distance from 0 is the same up and down. */
  readonly symmetric?: boolean;
  /** Axis labels smaller and fewer. */
  readonly small?: boolean;
  /** Charts with the same key show their cursors together. */
  readonly together?: string;
  /** Draws over the lines. */
  readonly over?: (chart: uPlot) => void;
  /** Index of the point at the cursor for every line; null without a cursor. */
  readonly onCursor?: (indices: readonly (number | null)[] | null) => void;
}

/** Curves of different horizontal values side by side; what uPlot draws. */
export type ChartData = uPlot.AlignedData;

export class Chart {
  readonly #place: HTMLElement;
  readonly #observer = new ResizeObserver(() => this.#resize());
  readonly #ignoreColours: () => void;
  #plot: uPlot | null = null;
  #options: ChartOptions | null = null;

  constructor(place: HTMLElement) {
    this.#place = place;
    place.tabIndex = 0;
    place.setAttribute('role', 'img');
    this.#observer.observe(place);
    this.#ignoreColours = onColourChange(() => this.#plot?.redraw(false, true));
    place.addEventListener('keydown', (event) => this.#onKey(event));
    place.addEventListener('blur', () => this.#moveCursor(null));
  }

  /** Another set of lines or other axes. */
  configure(options: ChartOptions, data: ChartData): void {
    this.#plot?.destroy();
    this.#options = options;
    this.#place.setAttribute('aria-label', `${options.label}. The arrow keys go along it.`);
    this.#plot = new uPlot(this.#uplotOptions(options), data, this.#place);
  }

  get configured(): boolean {
    return this.#plot !== null;
  }

  setData(data: ChartData): void {
    this.#plot?.setData(data);
  }

  clear(): void {
    this.#plot?.destroy();
    this.#plot = null;
  }

  /** Once its place is given up. */
  close(): void {
    this.clear();
    this.#observer.disconnect();
    this.#ignoreColours();
  }

  #uplotOptions(options: ChartOptions): uPlot.Options {
    const {
      height,
      lines,
      logX,
      logY,
      xUnit = 'step',
      xMost = 0,
      symmetric,
      small,
      together,
      over,
      onCursor,
    } = options;
    const font = `${small ? 10 : 11}px system-ui, sans-serif`;
    const axis = {
      stroke: () => colour('--faint'),
      grid: { stroke: () => colour('--line'), width: 1 },
      ticks: { show: false },
      font,
    };
    return {
      width: Math.max(1, this.#place.clientWidth),
      height,
      padding: [8, small ? 14 : 16, 0, 0],
      legend: { show: false },
      cursor: {
        y: false,
        points: { size: 6, fill: (plot, line) => stroke(plot.series[line]!) },
        drag: { x: false, y: false, setScale: false },
        ...(together ? { sync: { key: together } } : {}),
      },
      scales: {
        x: {
          time: false,
          distr: logX ? 3 : 1,
          range: (_plot, low, high) => horizontalRange(low, high, { logX, xMost, xUnit }),
        },
        y: {
          distr: logY ? 3 : 1,
          range: (_plot, low, high) => verticalRange(low, high, { logY, symmetric }),
        },
      },
      axes: [
        {
          ...axis,
          ...(logX ? logarithmic(() => Math.max(1, this.#place.clientWidth - 60), 44) : {}),
          size: small ? 20 : 26,
          gap: 4,
          space: small ? 60 : 70,
          values: (_plot, ticks) => ticks.map((tick) => tickText(tick, xUnit)),
        },
        {
          ...axis,
          ...(logY ? logarithmic(() => height - 30, 14) : {}),
          size: small ? 46 : 50,
          gap: 4,
          space: small ? 22 : 28,
          values: (_plot, ticks) => ticks.map((tick) => tickText(tick, 'number')),
        },
      ],
      series: [
        {},
        ...lines.map((line) => ({
          stroke: () => withOpacity(colour(line.colour), line.opacity ?? 1),
          width: line.width,
          dash: [...(line.dash ?? [])],
          spanGaps: true,
          show: line.show ?? true,
          points: { show: false },
        })),
      ],
      hooks: {
        ...(over ? { draw: [over] } : {}),
        ...(onCursor
          ? {
              setCursor: [(plot: uPlot) => onCursor((plot.cursor.left ?? -1) >= 0 ? plot.cursor.idxs!.slice(1) : null)],
            }
          : {}),
      },
    };
  }

  #resize(): void {
    const width = this.#place.clientWidth;
    if (this.#plot && this.#options && width > 0 && width !== this.#plot.width) {
      this.#plot.setSize({ width, height: this.#options.height });
    }
  }

  #onKey(event: KeyboardEvent): void {
    const plot = this.#plot;
    if (!plot || plot.data[0].length === 0) return;
    const last = plot.data[0].length - 1;
    const at = plot.cursor.idx ?? null;
    const far = Math.max(1, Math.round(last / 20));
    const targets: Record<string, number> = {
      ArrowLeft: at === null ? last : at - (event.shiftKey ? far : 1),
      ArrowRight: at === null ? 0 : at + (event.shiftKey ? far : 1),
      Home: 0,
      End: last,
    };
    if (event.key === 'Escape') this.#moveCursor(null);
    const target = targets[event.key];
    if (target === undefined) return;
    event.preventDefault();
    this.#moveCursor(Math.min(last, Math.max(0, target)));
  }

  #moveCursor(index: number | null): void {
    const plot = this.#plot;
    if (!plot) return;
    const left = index === null ? -10 : plot.valToPos(plot.data[0][index]!, 'x');
    plot.setCursor({ left, top: index === null ? -10 : 1 });
  }
}

/** uPlot's own ticks of a logarithmic axis need a range that begins at a round number. `room`: pixels for a label. */
const logarithmic = (pixels: () => number, room: number): uPlot.Axis => ({
  splits: (_plot, _axis, low, high) => {
    const least = (room / pixels()) * Math.log(high / low);
    const kept: number[] = [];
    for (const tick of logTicks(low, high)) {
      if (kept.length === 0 || Math.log(tick / kept.at(-1)!) >= least) kept.push(tick);
    }
    return kept;
  },
  filter: (_plot, ticks) => ticks,
});

const stroke = (series: uPlot.Series): string => {
  const value = series.stroke as unknown;
  return typeof value === 'function' ? value() : String(value);
};

const withOpacity = (rgb: string, opacity: number) =>
  opacity === 1 ? rgb : rgb.replace(/^rgb\((.*)\)$/, `rgba($1, ${opacity})`);

function horizontalRange(
  low: number | null,
  high: number | null,
  { logX, xMost, xUnit }: { logX: boolean | undefined; xMost: number; xUnit: string },
): [number, number] {
  if (xUnit === 'number') return [low ?? 0, high ?? 1];
  const most = Math.max(high ?? 0, xMost, Number.MIN_VALUE);
  if (!logX) return [0, most || 1];
  const least = low !== null && low > 0 ? low : most / 100;
  return [Math.min(least, most / 2), most];
}

function verticalRange(
  low: number | null,
  high: number | null,
  { logY, symmetric }: { logY: boolean | undefined; symmetric: boolean | undefined },
): [number, number] {
  if (low === null || high === null) return logY ? [0.01, 1] : symmetric ? [-1, 1] : [0, 1];
  if (symmetric) {
    const most = 1.08 * Math.max(Math.abs(low), Math.abs(high)) || 1;
    return [-most, most];
  }
  if (logY) {
    const least = low > 0 ? low : high > 0 ? high / 1000 : 0.01;
    const most = Math.max(high, least);
    // At least so much that a tick or two lie within.
    const room = Math.max(1.08, Math.sqrt(2 / Math.max(1, most / least)));
    return [least / room, most * room];
  }
  const room = 0.06 * (high - low) || 0.1 * Math.abs(high) || 1;
  return [low >= 0 && low < high / 3 ? 0 : low - room, high + room];
}

function tickText(tick: number | null, unit: 'step' | 'time' | 'number'): string {
  // uPlot marks what has no room with null.
  if (tick === null) return '';
  if (unit === 'step') {
    if (!Number.isInteger(tick)) return '';
    return tick >= 1e6 ? `${tick / 1e6}M` : tick >= 10_000 ? `${tick / 1000}k` : tick.toLocaleString('en-GB');
  }
  if (unit === 'time') return tick >= 1000 || tick === 0 ? `${Number((tick / 1000).toPrecision(3))} s` : `${tick} ms`;
  return formatNumber(tick);
}

/** Curves over their own horizontal values as one table with gaps. */
export function align(
  curves: readonly { readonly x: ArrayLike<number>; readonly ys: readonly ArrayLike<number>[] }[],
): ChartData {
  if (curves.length === 0) return [[]];
  return uPlot.join(curves.map(({ x, ys }) => [x, ...ys] as unknown as uPlot.AlignedData));
}
