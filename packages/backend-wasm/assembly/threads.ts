// One command, shared by several threads.
//
// The leader opens a command and takes part in it; helpers wait in `serve` for commands. All work is cut into chunks
// whose number depends on shapes alone, and whoever is free claims the next one: so results do not depend on the number
// of threads, and a helper that is late, asleep or gone before it has claimed anything holds nobody up.
//
// Every phase has two counters, `claimed` and `done`. Whoever finishes the last chunk does the phase's serial work, and
// then lets the others pass by setting `done` beyond the number of chunks.
import { controllerFeatures, controllerGates, controllerHeads, gateChunks, headChunks } from './controller';
import {
  afterMoments,
  afterStep,
  afterSums,
  chunkCount,
  phaseMoments,
  phaseStep,
  phaseSums,
  TILE_BYTES,
  update,
} from './update';
import { JOB_BYTES } from './update-job';

// The control block, in bytes from its start; `CONTROL_BYTES` of them, 0 in the beginning.
const GATE: usize = 0; // OPEN, and the number of helpers inside the command
const EPOCH: usize = 4; // counts commands; helpers sleep on it
const FAILED: usize = 8; // set where a helper trapped: also by its JavaScript
const KIND: usize = 12;
const RECORDS: usize = 16;
const COUNT: usize = 20;
const COUNTERS: usize = 24;
const ARENAS: usize = 28;
const ARENA_BYTES: usize = 32;
// 60: number of the last command that a page's leader has done; kept by its JavaScript
const THREADS: usize = 64; // what each thread notes between its waits: four words for each

/** Room for 64 threads. */
export const CONTROL_BYTES: i32 = 64 + 64 * 16;

// A thread's notes. They are in memory because V8's first compiler (Node 20) forgets assignments to locals in loops around
// `atomic.wait`.
const COMMAND: usize = 0; // the last epoch that a helper has looked at
const SEEN: usize = 4; // the value that a wait saw last
const NAPS: usize = 8; // for how many naps that value has not changed

@inline
function notesOf(control: usize, thread: i32): usize {
  return control + THREADS + (<usize>thread << 4);
}

const OPEN: i32 = 1 << 30;
const UPDATE: i32 = 1;
const CONTROLLER: i32 = 2;

const SCRATCH: usize = 60; // of a job record

/** How often a thread looks before it goes to sleep. */
const SPINS: i32 = 2000;
const NAP: i64 = 100_000_000; // nanoseconds
/** Naps without any progress after which a thread counts as lost. */
const PATIENCE: i32 = 50;

/** Bytes of counters for a command of at most `count` records. */
export function counterBytes(count: i32): i32 {
  return (3 * count + 3) << 3;
}

/** The update of all jobs; those in several chunks have scratch of their own, the others use their thread's arena. */
export function leadUpdate(control: usize, jobs: usize, count: i32, counters: usize, arenas: usize, arenaBytes: i32): bool {
  store<i32>(control + KIND, UPDATE);
  store<usize>(control + RECORDS, jobs);
  store<i32>(control + COUNT, count);
  store<usize>(control + ARENAS, arenas);
  store<i32>(control + ARENA_BYTES, arenaBytes);
  return lead(control, counters, counterBytes(count));
}

/** The controller of one step. */
export function leadController(control: usize, call: usize, counters: usize): bool {
  store<i32>(control + KIND, CONTROLLER);
  store<usize>(control + RECORDS, call);
  return lead(control, counters, counterBytes(0));
}

function lead(control: usize, counters: usize, bytes: i32): bool {
  memory.fill(counters, 0, bytes);
  store<usize>(control + COUNTERS, counters);
  atomic.store<i32>(control + GATE, OPEN);
  atomic.add<i32>(control + EPOCH, 1);
  atomic.notify(control + EPOCH, -1);
  const finished = work(control, 0);
  atomic.and<i32>(control + GATE, ~OPEN);
  // Helpers inside have nothing left to do but to leave; nothing may be reused before.
  return finished && waitFor(control, 0, control + GATE, 0);
}

/** A helper's life. Never returns; its thread is terminated. */
export function serve(control: usize, thread: i32): void {
  const seen = notesOf(control, thread) + COMMAND;
  while (true) {
    for (let i = 0; atomic.load<i32>(control + EPOCH) == load<i32>(seen) && i < SPINS; i++) {}
    while (atomic.load<i32>(control + EPOCH) == load<i32>(seen)) {
      atomic.wait<i32>(control + EPOCH, load<i32>(seen), -1);
    }
    store<i32>(seen, atomic.load<i32>(control + EPOCH));
    if (enter(control)) {
      work(control, thread);
      if (atomic.sub<i32>(control + GATE, 1) == 1) atomic.notify(control + GATE, -1);
    }
  }
}

/** False where the command is over. */
function enter(control: usize): bool {
  let gate = atomic.load<i32>(control + GATE);
  while (gate & OPEN) {
    const found = atomic.cmpxchg<i32>(control + GATE, gate, gate + 1);
    if (found == gate) return true;
    gate = found;
  }
  return false;
}

/** What there is to do in the open command; false where another thread was lost. */
function work(control: usize, thread: i32): bool {
  const records = load<usize>(control + RECORDS);
  let counters = load<usize>(control + COUNTERS);
  if (load<i32>(control + KIND) == CONTROLLER) {
    return (
      phase(control, thread, counters, FEATURES, 1, records, 0) &&
      phase(control, thread, counters + 8, GATES, gateChunks(load<i32>(records + 4)), records, 0) &&
      phase(control, thread, counters + 16, HEADS, headChunks(), records, 0)
    );
  }
  const arena = load<usize>(control + ARENAS) + <usize>thread * load<i32>(control + ARENA_BYTES);
  const count = load<i32>(control + COUNT);
  const end = records + <usize>count * JOB_BYTES;
  let small = 0;
  for (let job = records; job < end; job += JOB_BYTES) {
    const chunks = chunkCount(job);
    if (chunks == 1) {
      small++;
      continue;
    }
    if (!phase(control, thread, counters, SUMS, chunks, job, arena)) return false;
    if (!phase(control, thread, counters + 8, MOMENTS, chunks, job, arena)) return false;
    if (!phase(control, thread, counters + 16, STEP, chunks, job, arena)) return false;
    counters += 24;
  }
  return small == 0 || smallJobs(control, thread, counters, records, count, small, arena);
}

/** Whole tensors from a queue: they stay in their thread's cache. */
function smallJobs(
  control: usize,
  thread: i32,
  counters: usize,
  jobs: usize,
  count: i32,
  small: i32,
  arena: usize,
): bool {
  for (;;) {
    const index = atomic.add<i32>(counters, 1);
    if (index >= count) break;
    const job = jobs + <usize>index * JOB_BYTES;
    if (chunkCount(job) > 1) continue;
    store<usize>(job + SCRATCH, arena + TILE_BYTES);
    update(job, 1, arena);
    if (atomic.add<i32>(counters + 4, 1) == small - 1) atomic.notify(counters + 4, -1);
  }
  return waitFor(control, thread, counters + 4, small);
}

const SUMS: i32 = 0;
const MOMENTS: i32 = 1;
const STEP: i32 = 2;
const FEATURES: i32 = 3;
const GATES: i32 = 4;
const HEADS: i32 = 5;

function phase(
  control: usize,
  thread: i32,
  counters: usize,
  kind: i32,
  chunks: i32,
  record: usize,
  tile: usize,
): bool {
  for (;;) {
    const chunk = atomic.add<i32>(counters, 1);
    if (chunk >= chunks) return waitFor(control, thread, counters + 4, chunks + 1);
    runChunk(kind, chunk, record, tile);
    if (atomic.add<i32>(counters + 4, 1) < chunks - 1) continue;
    runSerial(kind, record);
    atomic.store<i32>(counters + 4, chunks + 1);
    atomic.notify(counters + 4, -1);
    return true;
  }
}

function runChunk(kind: i32, chunk: i32, record: usize, tile: usize): void {
  if (kind == SUMS) phaseSums(record, chunk, tile);
  else if (kind == MOMENTS) phaseMoments(record, chunk, tile);
  else if (kind == STEP) phaseStep(record, chunk, tile);
  else if (kind == FEATURES) controllerFeatures(record);
  else if (kind == GATES) controllerGates(record, chunk);
  else controllerHeads(record, chunk);
}

function runSerial(kind: i32, record: usize): void {
  if (kind == SUMS) afterSums(record);
  else if (kind == MOMENTS) afterMoments(record);
  else if (kind == STEP) afterStep(record);
}

/** Until the word at `address` is `value`; false where it does not move for five seconds, or a helper has failed. */
function waitFor(control: usize, thread: i32, address: usize, value: i32): bool {
  for (let i = 0; i < SPINS; i++) if (atomic.load<i32>(address) == value) return true;
  const notes = notesOf(control, thread);
  store<i32>(notes + NAPS, 0);
  while (atomic.load<i32>(address) != value) {
    if (atomic.load<i32>(control + FAILED)) return false;
    const found = atomic.load<i32>(address);
    store<i32>(notes + NAPS, found == load<i32>(notes + SEEN) ? load<i32>(notes + NAPS) + 1 : 0);
    if (load<i32>(notes + NAPS) == PATIENCE) return false;
    store<i32>(notes + SEEN, found);
    if (found != value) atomic.wait<i32>(address, found, NAP);
  }
  return true;
}
