/** The task's own picture: per optimizer what its network has learned so far. */
import type { RunEvaluation } from '../../engine/protocol.ts';
import { onColourChange, runColourName } from '../colours.ts';
import { element } from '../dom.ts';
import type { Session } from '../session.ts';
import { runFigures, testText } from './canvas.ts';
import { describeConfusion, drawConfusion } from './confusion.ts';
import { describeImages, drawImages } from './images.ts';
import { describePlane, drawPlane } from './plane.ts';
import { describeScatter, drawScatter } from './scatter.ts';
import { drawSlice, slicesRange } from './slices.ts';

export interface PictureView {
  /** Draws what has changed since the last time. */
  update(): void;
  /** Once another one takes its place. */
  close(): void;
}

const NOTES = {
  plane: 'Points: training data. Line: where the network changes its mind.',
  images: 'Held-out images that were misread: what they are → what was read.',
  slices:
    'Grey: the truth along one input through the centre of the others. Colours: the networks. Where the truth is flat, the input has no influence.',
  table: 'Held-out examples.',
};

export function createPicture(place: HTMLElement, session: Session): PictureView {
  const { scene } = session.started;
  place.replaceChildren();
  const note = element('p', { class: 'faint note' }, NOTES[scene.kind]);
  const drawSlices = scene.kind === 'slices' ? slicesView(place, session) : () => {};
  const figures = runFigures(place, session);
  if (scene.kind === 'slices')
    place.append(element('p', { class: 'faint note' }, 'Below the slices: predicted against true, held-out examples.'));
  place.append(note);

  const drawn = session.runs.map((): RunEvaluation | null | undefined => undefined);
  const draw = (run: number) => {
    const evaluation = session.runs[run]!.evaluation;
    const { canvas, describe, note: say } = figures[run]!;
    const picture = evaluation?.picture ?? null;
    if (evaluation) say(testText(evaluation));
    if (scene.kind === 'plane') {
      const plane = picture?.kind === 'plane' ? picture : null;
      drawPlane(canvas, scene, plane);
      if (plane) describe(describePlane(plane));
    } else if (scene.kind === 'images') {
      const images = picture?.kind === 'images' ? picture : null;
      drawImages(canvas, scene, images);
      if (images) describe(describeImages(images, scene));
    } else if (picture?.kind === 'confusion') {
      drawConfusion(canvas, runColourName(run), scene.kind === 'table' ? scene.classes : null, picture);
      describe(describeConfusion(picture));
    } else {
      const predictions = picture?.kind === 'slices' || picture?.kind === 'table' ? picture : null;
      drawScatter(canvas, runColourName(run), predictions);
      if (predictions) describe(describeScatter(predictions));
    }
  };
  const update = () => {
    let changed = false;
    for (let run = 0; run < drawn.length; run++) {
      const { evaluation } = session.runs[run]!;
      if (evaluation === drawn[run]) continue;
      drawn[run] = evaluation;
      changed = true;
      draw(run);
    }
    if (changed) drawSlices();
  };
  const again = () => {
    drawn.fill(undefined);
    update();
  };
  const observer = new ResizeObserver(again);
  observer.observe(place);
  const ignoreColours = onColourChange(again);
  return {
    update,
    close() {
      observer.disconnect();
      ignoreColours();
    },
  };
}

function slicesView(place: HTMLElement, session: Session): () => void {
  const { scene } = session.started;
  if (scene.kind !== 'slices') return () => {};
  const range = slicesRange(scene.slices);
  const canvases = scene.slices.map(({ input }) =>
    element('canvas', { role: 'img', 'aria-label': `True and predicted values along ${input}` }),
  );
  place.append(
    element(
      'div',
      { class: 'figures small' },
      ...canvases.map((canvas, i) =>
        element(
          'figure',
          {},
          canvas,
          element('figcaption', {}, element('span', { class: 'faint' }, scene.slices[i]!.input)),
        ),
      ),
    ),
  );
  return () => {
    scene.slices.forEach((slice, i) => {
      const predictions = session.runs.map(({ evaluation }) =>
        evaluation?.picture.kind === 'slices' ? evaluation.picture.predictions[i]! : null,
      );
      drawSlice(canvases[i]!, slice, range, predictions);
    });
  };
}
