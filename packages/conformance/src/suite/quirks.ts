/**
 * One test for each thing that looks like a mistake and is not (SPEC, [Q]), and for those that are easily made.
 *
 * Each is a short training in which it shows: the backend must go the oracle's way, and must be clearly off the way of
 * an oracle with the mistake, or the test could not fail.
 */
import {
  type Backend,
  createTheta,
  createVelo,
  type HostTensor,
  type Shape,
  type Tensor,
  type Theta,
  thetaShapes,
} from '@velojs/core';
import { describe, expect, it } from 'vitest';
import { deviation, TOLERANCES } from '../deviation.ts';
import { createOracle, type Mistake } from '../oracle.ts';
import { randomTheta, randomValues } from '../random.ts';
import { inputsOf, type Suite } from './suite.ts';

interface Quirk {
  /** What is so. */
  readonly name: string;
  /** What would be wrong. */
  readonly mistake: Mistake;
  readonly shapes?: readonly Shape[];
  readonly losses?: readonly number[];
  readonly totalSteps?: number;
  readonly weightDecay?: number;
  readonly maxTrainingSteps?: number;
  /** Of gradients. */
  readonly scale?: number;
  /** Inputs of the controller that it listens to more than to the others. */
  readonly listensTo?: readonly [begin: number, end: number];
  /** Stays where the suite is reduced: backends differ in it, not only definitions that they share. */
  readonly quick?: true;
}

const LOSS_FEATURES = [9, 18] as const;
const RANK_FEATURES = [19, 24] as const;
const SHAPES: readonly Shape[] = [[4, 3], [5], [], [2, 3, 2]];
const LOSSES = [3, 2.6, 2.4, 2.5, 2.1, 2.2];
/** Losses above their low, where loss features are neither 0 nor -1. */
const REBOUND = [3, 1, 2, 1.5, 2.5, 2];

const QUIRKS: readonly Quirk[] = [
  { name: 'the dead layer has no effect', mistake: 'dead layer is used' },
  {
    quick: true,
    name: 'a loss is cut at twice the ceiling',
    mistake: 'no ceiling on the loss',
    losses: [1, 0.8, 50, 0.9, 0.7, 0.75],
    listensTo: LOSS_FEATURES,
  },
  {
    name: 'the loss ceiling divides old averages by corrections of the new count',
    mistake: 'loss ceiling corrects with the old count',
    losses: [1, 50, 0.9, 0.7, 0.75, 0.8],
    listensTo: LOSS_FEATURES,
  },
  {
    name: 'loss features divide by the distance to the same low',
    mistake: 'loss features with the low of the next mean',
    losses: REBOUND,
    totalSteps: 1000,
    listensTo: LOSS_FEATURES,
  },
  {
    name: 'half-lives of the loss fall where there are fewer than 10 steps',
    mistake: 'last half-life at least 10',
    losses: REBOUND,
    totalSteps: 2,
    listensTo: LOSS_FEATURES,
  },
  { name: 'the training fraction goes on past the end', mistake: 'training fraction stops at 1', totalSteps: 2 },
  { name: 'the second moment is scaled by z, not by its square', mistake: 'second moment is scaled by z squared' },
  {
    name: 'the second moment varies around the mean of momentum',
    mistake: 'second moment varies around its own mean',
  },
  {
    name: 'the rank counts axes longer than 1',
    mistake: 'rank counts axes of size 1',
    shapes: [[2, 1, 3], [1], [1, 1], [1, 4]],
    listensTo: RANK_FEATURES,
  },
  {
    quick: true,
    name: 'the rank is all zero from five axes on',
    mistake: 'rank of five axes and more is 4',
    shapes: [[2, 2, 2, 2, 2], [2, 1, 2, 2, 2, 2], [3]],
    listensTo: RANK_FEATURES,
  },
  { name: 'what tensors tell each other passes through a relu', mistake: 'pool without relu' },
  { name: 'tensors hear of each other', mistake: 'no pool' },
  { name: 'the gates are i, g, f, o', mistake: 'gates in the order i, f, g, o' },
  { name: 'the forget gate gets 1 on top of its bias', mistake: 'nothing added to the forget gate' },
  { name: 'the LSTM starts from trained states', mistake: 'initial state is zero' },
  { name: 'the controller sees accumulators before the gradient', mistake: 'controller sees advanced accumulators' },
  { name: 'the network per parameter sees them after it', mistake: 'MLP sees old accumulators' },
  {
    name: 'among equal axes the later one counts as larger',
    mistake: 'ties in reverse order',
    shapes: [
      [4, 4],
      [3, 5, 5],
      [2, 2, 2],
      [4, 4, 3, 3],
    ],
  },
  {
    name: 'the factored momentum of vectors has no floor',
    mistake: 'floor under fac_m of vectors',
    shapes: [[6], [], [1]],
    scale: 1e-6,
  },
  {
    quick: true,
    name: 'the entries of a scalar are normalised by themselves',
    mistake: 'scalars are not normalised by themselves',
    shapes: [[], [3]],
  },
  { name: 'the momentum of a scalar does not vary', mistake: 'a scalar varies around zero', shapes: [[], [2]] },
  {
    quick: true,
    name: 'gradients are clipped after they were averaged',
    mistake: 'gradients are clipped before they are averaged',
    shapes: [[3, 2], [4]],
    scale: 2000,
    totalSteps: 6,
    maxTrainingSteps: 3,
  },
  { name: 'the third output is unused', mistake: 'third output is added' },
  { name: 'moments are not corrected for their start', mistake: 'bias correction' },
  {
    name: 'weight decay adds to the loss without a half',
    mistake: 'weight decay as gradient and function',
    losses: REBOUND.map((loss) => loss / 4),
    totalSteps: 1000,
    weightDecay: 2,
    listensTo: LOSS_FEATURES,
  },
  {
    quick: true,
    name: 'weight decay adds to the loss at all',
    mistake: 'weight decay leaves the loss alone',
    losses: REBOUND.map((loss) => loss / 4),
    totalSteps: 1000,
    weightDecay: 2,
    listensTo: LOSS_FEATURES,
  },
  {
    name: 'the tail of an accumulation is never applied',
    mistake: 'tail of an accumulation is applied',
    totalSteps: 5,
    maxTrainingSteps: 3,
  },
  {
    name: 'accumulated gradients are averaged',
    mistake: 'accumulated gradients are summed',
    totalSteps: 6,
    maxTrainingSteps: 3,
  },
];

/** The theta of the quirks, which may listen to some of the controller's inputs more than to others. */
function thetaOf({ listensTo }: Quirk): Theta {
  const theta = randomTheta(7);
  if (!listensTo) return theta;
  const { hiddenSize: H, bankSize } = theta;
  const shapes = thetaShapes(H, bankSize);
  const [begin, end] = listensTo;
  const keepWeight = theta.leaves.keepWeight.map((weight, i) => (i >= begin * H && i < end * H ? 4 * weight : weight));
  const leaves = Object.entries({ ...theta.leaves, ...theta.dead, keepWeight });
  return createTheta(
    Object.fromEntries(
      leaves.map(([name, data]): [string, HostTensor] => [name, { shape: shapes[name as 'keepWeight'], data }]),
    ),
  );
}

export function describeQuirks<T extends Tensor>({ backend: plain, paths, slow }: Suite<T>): void {
  const tolerance = TOLERANCES[plain.arithmetic];

  for (const { mode, backend } of paths) {
    describe(`quirks, ${mode}`, () => {
      for (const quirk of QUIRKS) {
        const test = quirk.quick ? it : slow;
        test(quirk.name, async () => {
          const right = oracleRun(quirk);
          const wrong = oracleRun(quirk, quirk.mistake);
          expect(distance(wrong, right), 'the mistake shows').toBeGreaterThan(5 * tolerance);
          // Where the host does not see the parameters, weight decay moves the loss buffer to the device, in float32.
          const lossOnHost = quirk.weightDecay === undefined || backend.peek !== undefined;
          const allowed = lossOnHost ? tolerance : TOLERANCES.float32;
          expect(distance(await backendRun(backend, quirk, 'host'), right)).toBeLessThanOrEqual(allowed);
        });
        if (quirk.listensTo === LOSS_FEATURES) {
          test(`${quirk.name}, on the device too`, async () => {
            const right = oracleRun(quirk);
            const found = await backendRun(backend, quirk, 'device');
            expect(distance(found, right)).toBeLessThanOrEqual(TOLERANCES.float32);
          });
        }
      }

      it('decay rates are those of float32', async () => {
        const velo = createVelo({
          backend,
          theta: randomTheta(7),
          parameters: [Float32Array.of(1, 2)],
          totalSteps: 10,
        });
        velo.step([Float32Array.of(1, 1)], 1);
        const { tensors } = await velo.exportState();
        velo.dispose();
        const moments = [0.9, 0.99, 0.999, 0.999].flatMap((decay) => [1 - Math.fround(decay), 1 - Math.fround(decay)]);
        expect(1 - Math.fround(0.999)).not.toBeCloseTo(0.001, 8);
        const { data } = tensors['accumulators.0.moments']!;
        for (const [i, expected] of moments.entries()) expect(Math.abs(data[i]! / expected - 1)).toBeLessThan(2e-7);
      });
    });
  }
}

/** Parameters by step and tensor. */
type Trajectory = readonly (readonly ArrayLike<number>[])[];

const DEFAULTS = {
  shapes: SHAPES,
  losses: LOSSES,
  totalSteps: 20,
  weightDecay: 0,
  maxTrainingSteps: 1000,
  scale: 1,
} as const;

function inputs(quirk: Quirk) {
  const { mistake: _, quick: __, ...choices } = quirk;
  const options = { ...DEFAULTS, ...choices };
  const { shapes, losses, scale } = options;
  return {
    ...options,
    theta: thetaOf(quirk),
    parameters: shapes.map((shape, j) => randomValues(j + 1, shape)),
    gradients: losses.map((_, step) =>
      // All of one sign on the whole, or momentum would stay near zero.
      shapes.map((shape, j) => randomValues(100 * step + j, shape, scale).map((g) => g + scale / 2)),
    ),
  };
}

function oracleRun(quirk: Quirk, mistake?: Mistake): Trajectory {
  const { gradients, losses, ...options } = inputs(quirk);
  const oracle = createOracle({ ...options, ...(mistake && { mistake }) });
  return losses.map((loss, step) => oracle.step(gradients[step]!, loss));
}

async function backendRun<T extends Tensor>(
  backend: Backend<T>,
  quirk: Quirk,
  lossKind: 'host' | 'device',
): Promise<Trajectory> {
  const { gradients, losses, shapes, parameters, theta, totalSteps, weightDecay, maxTrainingSteps } = inputs(quirk);
  const velo = createVelo({
    backend,
    theta,
    parameters: inputsOf<T>(shapes, parameters),
    totalSteps,
    weightDecay,
    maxTrainingSteps,
    onWarning: () => {},
  });
  const trajectory: Float32Array[][] = [];
  for (const [step, value] of losses.entries()) {
    const loss = lossKind === 'host' ? value : backend.tensor([value], []);
    velo.step(gradients[step]!, loss);
    if (typeof loss !== 'number') backend.dispose(loss);
    trajectory.push(await backend.read(velo.parameters));
  }
  velo.dispose();
  return trajectory;
}

/** The largest deviation of any tensor after any step. */
const distance = (actual: Trajectory, expected: Trajectory): number =>
  Math.max(...expected.flatMap((tensors, step) => tensors.map((values, j) => deviation(actual[step]![j]!, values))));
