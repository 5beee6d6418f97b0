/** Where every optimizer stands, and at the end who got how far. */
import type { RunResult } from '../engine/protocol.ts';
import { byId, element } from './dom.ts';
import { formatNumber, formatPercent, formatTime } from './format.ts';
import { swatch } from './pictures/canvas.ts';
import type { RunState, Session } from './session.ts';

export interface ResultsTable {
  show(session: Session): void;
  update(): void;
  /** One sentence on the outcome, once all is over. */
  conclude(): void;
}

export function createResultsTable(): ResultsTable {
  const table = byId<HTMLTableElement>('table');
  const summary = byId('summary');
  const shares = byId('shares');
  let session: Session | null = null;
  let cells: HTMLTableCellElement[][] = [];

  const write = (cell: HTMLElement, text: string) => {
    if (cell.textContent !== text) cell.textContent = text;
  };

  function update(): void {
    if (!session) return;
    const best = bestRun(session);
    session.runs.forEach((run, i) => {
      cells[i]!.forEach((cell, column) => {
        write(cell, columns[column]!.text(run));
      });
      table.tBodies[0]!.rows[i]!.classList.toggle('best', run === best);
    });
    if (session.shares) {
      const { training, evaluation, inspection } = session.shares;
      write(
        shares,
        `${formatPercent(training)} of the worker’s time went to training, ${formatPercent(evaluation)} to evaluation and pictures, ${formatPercent(inspection)} to looking inside.`,
      );
    }
  }

  return {
    show(next) {
      session = next;
      summary.textContent = '';
      shares.textContent = '';
      const heading = (text: string, title: string) => element('th', { scope: 'col', title }, text);
      table.tHead!.replaceChildren(
        element('tr', {}, heading('', 'Optimizer'), ...columns.map(({ name, title }) => heading(name, title))),
      );
      cells = next.runs.map(() => columns.map(() => element('td')));
      table.tBodies[0]!.replaceChildren(
        ...next.runs.map(({ label }, run) =>
          element('tr', {}, element('th', { scope: 'row' }, swatch(run), label), ...cells[run]!),
        ),
      );
      update();
    },
    update,
    conclude() {
      if (session) summary.textContent = conclusion(session);
    },
  };
}

interface Column {
  readonly name: string;
  readonly title: string;
  text(run: RunState): string;
}

const columns: readonly Column[] = [
  { name: 'steps', title: 'Steps done', text: ({ steps }) => steps.toLocaleString('en-GB') },
  {
    name: 'loss',
    title: 'Of the last batch; at the end over the whole training set',
    text: ({ result, loss, steps, fault }) => {
      if (fault && !Number.isFinite(result?.trainLoss ?? Number.NaN)) return 'ended';
      return result ? lossText(result.trainLoss) : steps > 0 ? lossText(loss) : '-';
    },
  },
  {
    name: 'test',
    title: 'On held-out data: right answers, or the loss of a regression',
    text: ({ result, evaluation }) => {
      const last = result ?? evaluation;
      if (!last) return '-';
      if (last.testAccuracy !== null) return formatPercent(last.testAccuracy);
      return lossText(last.testLoss);
    },
  },
  {
    name: 'per step',
    title: 'Gradient and update: median at the end, mean until then',
    text: ({ result, time, steps }) =>
      result ? formatTime(result.time.step) : steps > 0 ? formatTime(time / steps) : '-',
  },
  {
    name: 'optimizer',
    title: 'Of it the optimizer, median',
    text: ({ result }) => (result ? formatTime(result.time.optimizer) : '-'),
  },
];

const lossText = (loss: number) => (Number.isFinite(loss) ? formatNumber(loss) : 'diverged');

const finalLoss = ({ result }: RunState) => (result && Number.isFinite(result.trainLoss) ? result.trainLoss : Infinity);

/** Of finished runs the one with the lowest training loss. */
function bestRun({ runs }: Session): RunState | null {
  const best = runs.reduce((a, b) => (finalLoss(b) < finalLoss(a) ? b : a));
  return finalLoss(best) < Infinity ? best : null;
}

function conclusion({ runs }: Session): string {
  const order = runs.filter((run) => finalLoss(run) < Infinity).toSorted((a, b) => finalLoss(a) - finalLoss(b));
  if (order.length === 0) return 'No optimizer reached a finite loss.';
  const [best, second] = order as [RunState, RunState?];
  const words = ({ label, result }: RunState) => `${label} ${formatNumber((result as RunResult).trainLoss)}`;
  return `Lowest final training loss: ${words(best)}${second ? `, then ${words(second)}` : ''}.`;
}
