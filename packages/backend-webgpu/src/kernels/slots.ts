/**
 * How the work on each tensor is cut into workgroups, and the table that tells shaders so.
 *
 * Entries of a matrix `[outer, first, middle, second, inner]` lie in rows of `width` = second * inner: a workgroup takes
 * some rows of some columns, each thread one column and four rows at a time, so that neighbours read neighbours. A
 * vector is a matrix 64 wide. Row sums have the index without `second` (u), column sums that without `first` (v); which
 * of them are VeLO's "rows" depends on which axis is the longer.
 */
import type { Geometry } from '@velojs/core';
import {
  DECAYS,
  FACTORED_EPSILON,
  GRADIENT_CLIP_FEATURE,
  GRADIENT_LIMIT,
  MAGNITUDE_MULTIPLIER,
  NORMALIZER_EPSILON,
  PARAMETER_SCALE_EPSILON,
  ROW_MEAN_EPSILON,
  RSQRT_FLOOR,
  SECOND_MOMENT_DECAY,
  SECOND_MOMENT_EPSILON,
  SQUARE_EPSILON,
  STEP_MULTIPLIER,
} from '@velojs/core/constants';
import { NO_FAULT } from '../faults.ts';
import type { Memory, Region } from '../memory.ts';
import type { Recorder } from '../recorder.ts';

/** Words of a slot's record. */
const FIELDS = [
  // Its shape: `kind` is 0 for vectors, 1 for matrices, 2 for many small matrices, whose rows are taken across all.
  'size',
  'kind',
  'first',
  'middle',
  'second',
  'inner',
  'width',
  'rowsAreU',
  'us',
  'vs',
  // Tiles of the passes that read the moments: 2^`lanes` columns, `iterations` times 256 / 2^`lanes` rows, `strips` times.
  'lanes',
  'rows',
  'rowStep',
  'iterations',
  'strips',
  'rowTiles',
  'stripTiles',
  'tiles',
  // Of the pass that sums squared gradients: down a matrix or along it; no steps where every sum has a thread of its own.
  'sumSteps',
  'sumsDown',
  'sumWidth',
  'sumRowTiles',
  'sumStripTiles',
  // Of the pass after it: workgroups that share a mean of rows, then pieces of the columns.
  'groups',
  'pieces',
  // Where things are: entries of their buffers; of `tables`, fours.
  'gradient',
  'parameter',
  'moments',
  'rowsAt',
  'columnsAt',
  'network',
  'statistics',
  'uSums',
  'vSums',
  'uTable',
  'vTable',
  'fold',
  'factorPartials',
  'momentPartials',
  'stepPartials',
] as const;

type Field = (typeof FIELDS)[number];

const FIELD = Object.fromEntries(FIELDS.map((name, i) => [name, i])) as Readonly<Record<Field, number>>;

/** The passes that have a number of workgroups of their own per slot. */
export type Pass = 'sums' | 'factors' | 'tiles' | 'fold';
const PASSES: readonly Pass[] = ['sums', 'factors', 'tiles', 'fold'];

/** Threads of a workgroup in the passes over all entries, and in those over sums. */
export const THREADS = 64;
export const FOLD_THREADS = 128;
/** Rows of a tile of the first pass, times its columns. */
export const SUM_TILE = 2048;
/** So many entries of a vector-like table a workgroup takes. */
export const PIECE = 256;
export const FOLD_PIECE = 2048;
/** More tiles per slot would be more to sum up, by the one workgroup per slot that does. */
const MAX_SUM_TILES = 256;
const MAX_TILES = 512;
/** Small matrices are not worth a workgroup each. */
const SMALL_MATRIX = 512;
/** Words that a tile of `moments` leaves: see `moments.ts`. */
export const MOMENT_WORDS = 32;
export const FACTOR_WORDS = 8;
/** Fours of the folded network: see `fold.ts`. */
export const FOLD_FOURS = 36;
/** Where tensors begin that share a buffer, in entries: whole cache lines. */
const ALIGNED = 32;
export const aligned = (length: number): number => Math.ceil(length / ALIGNED) * ALIGNED;

/** All that follows from a shape. */
export interface Plan {
  readonly size: number;
  /** Entries of moments, rows and columns, each aligned, side by side. */
  readonly stateLength: number;
  readonly workgroups: Readonly<Record<Pass, number>>;
  /** What passes leave for each other: sums of the first, fours of `tables`, words of `partials`. */
  readonly uSums: number;
  readonly sums: number;
  readonly fours: number;
  readonly words: number;
  /** Where parts of both begin. */
  readonly layout: Readonly<Record<'uTable' | 'vTable' | 'momentPartials' | 'stepPartials', number>>;
  readonly fields: Readonly<Partial<Record<Field, number>>>;
}

const plans = new Map<string, Plan>();

export function planOf(geometry: Geometry): Plan {
  const key = geometry.shape.join();
  let plan = plans.get(key);
  if (!plan) {
    plan = makePlan(geometry);
    plans.set(key, plan);
  }
  return plan;
}

function makePlan({ size, factored }: Geometry): Plan {
  let [outer, first, middle, second, inner] =
    factored?.view ?? ([1, Math.ceil(size / THREADS), 1, THREADS, 1] as const);
  let rowsAreU = factored?.d1 === 1;
  // Rows want to be long: a second axis of length 1 changes places with the first.
  if (factored && second === 1) {
    [first, middle, second, inner] = [1, 1, first, middle * inner];
    rowsAreU = !rowsAreU;
  }
  const width = second * inner;
  const isSmall = outer * middle > 1 && first * width < SMALL_MATRIX;
  const kind = factored ? (isSmall ? 2 : 1) : 0;
  const us = size / second;
  const vs = size / first;
  const columns = Math.min(Math.max(2 ** Math.ceil(Math.log2(width)), 4), THREADS);
  const blocks = outer * middle;
  const tiles = cutMoments(columns, isSmall ? 1 : blocks, isSmall ? blocks * first : first, width);
  const sums = cutSums(columns, blocks, first, width, inner, Boolean(factored), isSmall, us + vs);
  const groups = factored ? blocks * inner : 0;
  const pieces = factored ? Math.ceil((rowsAreU ? vs : us) / PIECE) : 0;
  const factorWords = (groups + pieces) * FACTOR_WORDS;
  return {
    size,
    stateLength: aligned(4 * size) + (factored ? aligned(3 * us) + aligned(3 * vs) : aligned(3 * size)),
    workgroups: {
      sums: sums.workgroups,
      factors: groups + pieces,
      tiles: tiles.tiles,
      fold: factored ? Math.ceil((us + vs) / FOLD_PIECE) : 1,
    },
    uSums: factored ? sums.uParts * us : 0,
    sums: factored ? sums.uParts * us + sums.vParts * vs : 0,
    fours: FOLD_FOURS + (factored ? 2 * (us + vs) : 0),
    words: factorWords + tiles.tiles * (MOMENT_WORDS + 2),
    layout: {
      uTable: FOLD_FOURS,
      vTable: FOLD_FOURS + 2 * us,
      momentPartials: factorWords,
      stepPartials: factorWords + MOMENT_WORDS * tiles.tiles,
    },
    fields: {
      size,
      kind,
      first,
      middle,
      second,
      inner,
      width,
      rowsAreU: Number(rowsAreU),
      us,
      vs,
      lanes: Math.log2(columns),
      rows: isSmall ? blocks * first : first,
      rowStep: isSmall ? 1 : middle,
      ...tiles,
      ...sums.fields,
      groups,
      pieces,
    },
  };
}

function cutMoments(columns: number, blocks: number, rows: number, width: number) {
  const rowsAtOnce = (4 * THREADS) / columns;
  const most = Math.ceil(rows / rowsAtOnce);
  let iterations = Math.min(8, most);
  let strips = 1;
  const rowTiles = () => Math.ceil(rows / (rowsAtOnce * iterations));
  const stripTiles = () => Math.ceil(width / (columns * strips));
  while (iterations * strips < 8 && strips * columns < width) strips *= 2;
  while (blocks * rowTiles() * stripTiles() > MAX_TILES) {
    if (iterations < most) iterations *= 2;
    else if (strips * columns < width) strips *= 2;
    else break;
  }
  const cut = { iterations, strips, rowTiles: rowTiles(), stripTiles: stripTiles() };
  return { ...cut, tiles: blocks * cut.rowTiles * cut.stripTiles };
}

function cutSums(
  columns: number,
  blocks: number,
  first: number,
  width: number,
  inner: number,
  isFactored: boolean,
  isSmall: boolean,
  outputs: number,
) {
  if (isSmall || inner > THREADS) {
    const fields = { sumSteps: 0, sumsDown: 0, sumWidth: 0, sumRowTiles: 1, sumStripTiles: 1 };
    return { workgroups: Math.ceil(outputs / THREADS), uParts: 1, vParts: 1, fields };
  }
  // Whole periods of `inner`, so that every thread stays with one of them.
  const sumWidth = isFactored ? Math.min(width, Math.floor(columns / inner) * inner) : columns;
  const rowTiles = Math.ceil(first / (SUM_TILE / columns));
  const stripTiles = Math.ceil(width / sumWidth);
  const sumsDown = first >= width || !isFactored;
  const most = sumsDown ? rowTiles : stripTiles;
  const sumSteps = Math.min(Math.ceil((blocks * rowTiles * stripTiles) / MAX_SUM_TILES), most);
  const sumRowTiles = sumsDown ? Math.ceil(rowTiles / sumSteps) : rowTiles;
  const sumStripTiles = sumsDown ? stripTiles : Math.ceil(stripTiles / sumSteps);
  return {
    workgroups: blocks * sumRowTiles * sumStripTiles,
    uParts: sumStripTiles,
    vParts: sumRowTiles,
    fields: { sumSteps, sumsDown: Number(sumsDown), sumWidth, sumRowTiles, sumStripTiles },
  };
}

/** A table on the GPU: for each pass the first workgroup of every slot, then their records. */
export interface Table {
  readonly memory: Memory;
  /** Workgroups of each pass, all slots together. */
  readonly workgroups: Readonly<Record<Pass, number>>;
  /** The first words of `params` of a dispatch. */
  params(pass: Pass): number[];
}

/** @param places per slot, the fields that its plan leaves open. */
export function uploadTable(
  recorder: Recorder,
  plansOfSlots: readonly Plan[],
  places: readonly Readonly<Partial<Record<Field, number>>>[],
): Table {
  const n = plansOfSlots.length;
  const records = PASSES.length * n;
  const words = new Uint32Array(Math.max(records + FIELDS.length * n, 1));
  const workgroups = { sums: 0, factors: 0, tiles: 0, fold: 0 };
  for (const [j, plan] of plansOfSlots.entries()) {
    for (const [pass, name] of PASSES.entries()) {
      words[pass * n + j] = workgroups[name];
      workgroups[name] += plan.workgroups[name];
    }
    const begin = records + FIELDS.length * j;
    for (const fields of [plan.fields, places[j]!]) {
      for (const name in fields) words[begin + FIELD[name as Field]] = fields[name as Field]!;
    }
  }
  const { memory, offset }: Region = recorder.upload(new Float32Array(words.buffer));
  return {
    memory,
    workgroups,
    params: (pass) => [n, offset + PASSES.indexOf(pass) * n, offset + records, workgroups[pass]],
  };
}

/** A float32 constant as WGSL. */
export const literal = (value: number): string => {
  const text = `${Math.fround(value)}`;
  return `${/[.e]/.test(text) ? text : `${text}.0`}f`;
};

const vector = (values: readonly number[]) => `vec3f(${values.map(literal).join(', ')})`;

/** Text for each of three channels, or of as many as are asked for. */
export const each = (text: (k: number) => string, count = 3): string =>
  Array.from({ length: count }, (_, k) => text(k)).join('\n');

/** A shader over slots, whose table is its first buffer. A slot has the fields that `code` asks for. */
export function shaderOverSlots(code: string): string {
  const fields = FIELDS.filter((name) => new RegExp(`\\bslot\\.${name}\\b`).test(code));
  return /* wgsl */ `
@group(0) @binding(0) var<storage, read> slots: array<u32>;
struct Params {
  count: u32, firsts: u32, records: u32, workgroups: u32,
  a: u32, b: u32, c: u32, d: u32,
}
@group(1) @binding(0) var<uniform> params: Params;

struct Slot { ${fields.map((name) => `${name}: u32`).join(', ')} }

fn slotAt(j: u32) -> Slot {
  let at = params.records + j * ${FIELDS.length}u;
  return Slot(${fields.map((name) => `slots[at + ${FIELD[name]}u]`).join(', ')});
}

/** Whose workgroup this is. */
fn slotOf(workgroup: u32) -> u32 {
  var low = 0u;
  var high = params.count;
  while (high - low > 1u) {
    let middle = (low + high) / 2u;
    if (slots[params.firsts + middle] <= workgroup) { low = middle; } else { high = middle; }
  }
  return low;
}

const NO_FAULT = ${NO_FAULT}u;
const DECAYS = ${vector(DECAYS)};
const WEIGHTS = ${vector(DECAYS.map((decay) => 1 - decay))};
const SECOND_DECAY = ${literal(SECOND_MOMENT_DECAY)};
const SECOND_WEIGHT = ${literal(1 - SECOND_MOMENT_DECAY)};
const LIMIT = ${literal(GRADIENT_LIMIT)};
const CLIP = ${literal(GRADIENT_CLIP_FEATURE)};
const SQUARE_EPSILON = ${literal(SQUARE_EPSILON)};
const FLOOR = ${literal(RSQRT_FLOOR)};
const ROW_MEAN_EPSILON = ${literal(ROW_MEAN_EPSILON)};
const SECOND_EPSILON = ${literal(SECOND_MOMENT_EPSILON)};
const FACTORED_EPSILON = ${literal(FACTORED_EPSILON)};
const NORMALIZER_EPSILON = ${literal(NORMALIZER_EPSILON)};
const SCALE_EPSILON = ${literal(PARAMETER_SCALE_EPSILON)};
const STEP = ${literal(STEP_MULTIPLIER)};
const MAGNITUDE = ${literal(MAGNITUDE_MULTIPLIER)};
${code}`;
}

/** The parameters of an entry point, and the number of its workgroup. */
export const entryPoint = (threads: number, body: string): string => /* wgsl */ `
@compute @workgroup_size(${threads})
fn main(
  @builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) thread: u32,
) {
  let workgroup = id.x + id.y * count.x;
${body}
}`;

/**
 * A pass over tiles: `strip` is run for each column `w` of the thread, `quad` for each four entries `e` of it, those
 * that are `on`; `rho` are their rows among all of the slot. Once the first is not, none after it are.
 */
export const overTiles = ({
  before = '',
  strip = '',
  quad,
}: {
  before?: string;
  strip?: string;
  quad: string;
}): string => /* wgsl */ `
  if (workgroup >= params.workgroups) { return; }
  let j = slotOf(workgroup);
  let slot = slotAt(j);
  let tile = workgroup - slots[params.firsts + j];
  let stripTile = tile % slot.stripTiles;
  let rowTile = tile / slot.stripTiles % slot.rowTiles;
  let block = tile / slot.stripTiles / slot.rowTiles;
  let blockRow = block / slot.middle * slot.first * slot.middle + block % slot.middle;
  let lane = thread & ((1u << slot.lanes) - 1u);
  let group = thread >> slot.lanes;
  let groups = ${THREADS}u >> slot.lanes;
  ${before}
  for (var strip = stripTile * slot.strips; strip < (stripTile + 1u) * slot.strips; strip++) {
    let w = (strip << slot.lanes) + lane;
    let isColumn = w < slot.width;
    ${strip}
    for (var iteration = rowTile * slot.iterations; iteration < (rowTile + 1u) * slot.iterations; iteration++) {
      let row = (vec4u(0u, 1u, 2u, 3u) + 4u * iteration) * groups + group;
      let rho = blockRow + row * slot.rowStep;
      let entry = rho * slot.width + w;
      let on = (row < vec4u(slot.rows)) & vec4<bool>(isColumn) & (entry < vec4u(slot.size));
      let e = select(vec4u(0u), entry, on);
      ${quad}
    }
  }`;
