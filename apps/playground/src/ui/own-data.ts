/** The user's own files: a table with a column to predict, or images with labels. */
import type { DataSummary, TaskSource } from '../engine/protocol.ts';
import { element } from './dom.ts';

export interface OwnData {
  /** What is to be trained on; null while there is none. */
  readonly source: TaskSource | null;
  /** Takes files that were chosen or dropped. What is wrong with them is said in the page. */
  take(files: readonly File[]): Promise<void>;
}

export function createOwnData(
  place: HTMLElement,
  { examine, onChange }: { examine: (files: readonly File[]) => Promise<DataSummary>; onChange: () => void },
): OwnData {
  const input = element('input', {
    type: 'file',
    multiple: true,
    id: 'data-files',
    accept: '.csv,.txt,.idx,.gz,.idx1-ubyte,.idx3-ubyte,text/csv,application/gzip',
  });
  const fault = element('p', { class: 'fault', role: 'alert', hidden: true });
  const found = element('div', { class: 'found', 'aria-live': 'polite' });
  place.append(
    element(
      'label',
      { class: 'files' },
      element('span', {}, 'CSV with a header row, or IDX images and labels (MNIST’s format)'),
      input,
      element('small', { class: 'faint' }, 'Or drop them anywhere. They stay in this page.'),
    ),
    fault,
    found,
  );
  let source: TaskSource | null = null;
  let asked = 0;

  const take = async (files: readonly File[]) => {
    if (files.length === 0) return;
    const turn = ++asked;
    fault.hidden = true;
    source = null;
    found.replaceChildren(element('p', { class: 'faint' }, `Reading ${files.map(({ name }) => name).join(', ')} …`));
    try {
      const summary = await examine(files);
      if (turn !== asked) return;
      found.replaceChildren(summary.kind === 'csv' ? tableChoices(summary) : imagesSummary(summary));
    } catch (error) {
      if (turn !== asked) return;
      found.replaceChildren();
      fault.textContent = (error as Error).message;
      fault.hidden = false;
    }
    onChange();
  };

  function tableChoices(summary: Extract<DataSummary, { kind: 'csv' }>): HTMLElement {
    const { file, rows, columns } = summary;
    const possible = columns.filter(({ notTarget }) => notTarget === null);
    const target = element(
      'select',
      {},
      // The last column is the usual place of what is to be predicted.
      ...possible.map(({ name }, i) => element('option', { value: name, selected: i === possible.length - 1 }, name)),
    );
    const kind = element('select', {});
    const uses = columns.map((column) => {
      const usable = column.notInput === null;
      const box = element('input', { type: 'checkbox', checked: usable, disabled: !usable });
      const words = {
        numbers: 'numbers',
        categories: 'categories',
        text: 'too many different texts',
        mixed: 'mixed or missing values',
      }[column.holds];
      const row = element(
        'label',
        { class: 'check' },
        box,
        element(
          'span',
          {},
          column.name,
          ' ',
          element('small', { class: 'faint' }, `${words}, such as ${column.example}`),
        ),
      );
      return { name: column.name, usable, box, row };
    });
    const update = () => {
      for (const { name, row } of uses) row.hidden = name === target.value;
      const ignore = uses.filter(({ name, box }) => name !== target.value && !box.checked).map(({ name }) => name);
      source = {
        kind: 'csv',
        file,
        options: { target: target.value, kind: kind.value as 'classification' | 'regression', ignore },
      };
      onChange();
    };
    const retarget = () => {
      const column = columns.find(({ name }) => name === target.value);
      const choices =
        column?.holds === 'numbers' ? (['regression', 'classification'] as const) : (['classification'] as const);
      kind.replaceChildren(
        ...choices.map((choice) =>
          element('option', { value: choice, selected: choice === column?.targetKind }, choice),
        ),
      );
      update();
    };
    target.addEventListener('change', retarget);
    kind.addEventListener('change', update);
    for (const { box } of uses) box.addEventListener('change', update);
    if (possible.length > 0) retarget();
    const missing =
      possible.length === 0 ? columns.map(({ name, notTarget }) => `${name}: ${notTarget}`).join(' ') : '';
    return element(
      'div',
      {},
      element('p', {}, `${file.name}: ${rows.toLocaleString('en-GB')} rows, ${columns.length} columns`),
      possible.length === 0 &&
        element('p', { class: 'fault', role: 'alert' }, `No column can be predicted. ${missing}`),
      element(
        'div',
        { class: 'fields' },
        element('label', {}, element('span', {}, 'Predict'), target),
        element('label', {}, element('span', {}, 'as'), kind),
      ),
      element('details', {}, element('summary', {}, 'From these columns'), ...uses.map(({ row }) => row)),
    );
  }

  function imagesSummary({
    images,
    labels,
    count,
    height,
    width,
    classes,
  }: Extract<DataSummary, { kind: 'idx' }>): HTMLElement {
    source = { kind: 'idx', images, labels };
    return element(
      'p',
      {},
      `${images.name}: ${count.toLocaleString('en-GB')} images of ${height} x ${width}, ${classes} classes`,
    );
  }

  input.addEventListener('change', () => void take([...(input.files ?? [])]));
  return {
    get source() {
      return source;
    },
    take,
  };
}
