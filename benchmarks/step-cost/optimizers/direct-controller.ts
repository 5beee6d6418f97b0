/**
 * VeLO's network per tensor as the paper has it, map after map, in WebAssembly: `benchmarks/assembly/direct-controller.ts`.
 * Backends multiply maps that follow one another out beforehand ("folded"); this is what that is measured against.
 */
import { cpu } from '@velojs/backend-cpu';
import { MLP_ROW, type Shape, uploadTheta } from '@velojs/core';
import { Arena, compileAssembly } from '../assembly.ts';
import type { Task } from '../contender.ts';
import { expectClose } from '../correctness.ts';
import { controllerInputs } from '../workloads.ts';
import { THETAS } from './velo.ts';

interface Exports {
  packedDirectBytes(hiddenSize: number, bankSize: number): number;
  /** The two sizes, twelve sources, the target. */
  packDirect(...sizesAndAddresses: number[]): void;
  directScratchBytes(tensors: number, hiddenSize: number, bankSize: number): number;
  controllerDirect(call: number): void;
}

/**
 * With theta in the released size.
 *
 * @throws Error where its results are not those of the cpu backend
 */
export async function directController(shapes: readonly Shape[]): Promise<Task> {
  const arena = new Arena<Exports>(await compileAssembly('direct-controller'));
  const { packedDirectBytes, packDirect, directScratchBytes, controllerDirect } = arena.exports;
  const backend = cpu();
  const theta = uploadTheta(backend, THETAS.released);
  const { hiddenSize, bankSize } = theta;
  const n = shapes.length;

  const packed = arena.allocate(packedDirectBytes(hiddenSize, bankSize));
  const sources = [
    theta.poolWeight,
    theta.poolBias,
    theta.keepWeight,
    theta.keepBias,
    theta.inputWeight,
    theta.recurrentWeight,
    theta.lstmBias,
    theta.controlsWeight,
    theta.controlsBias,
    theta.bank,
    theta.stepWeight,
    theta.stepBias,
  ];
  packDirect(hiddenSize, bankSize, ...sources.map(({ values }) => arena.store(values)), packed);

  const inputs = controllerInputs(shapes, hiddenSize, backend.tensor);
  const { statistics, ranks, common, hidden, cell } = inputs;
  const outputs = [MLP_ROW, hiddenSize, hiddenSize].map((width) => ({
    address: arena.allocate(4 * n * width),
    length: n * width,
  }));
  const call = arena.allocate(64);
  const record = [
    n,
    hiddenSize,
    ...[statistics, ranks, common, hidden, cell].map(({ values }) => arena.store(values)),
    ...outputs.map(({ address }) => address),
    packed,
    arena.allocate(directScratchBytes(n, hiddenSize, bankSize)),
    bankSize,
  ];
  arena.integers(call, record.length).set(record);

  controllerDirect(call);
  const expected = backend.kernels!.controller!(inputs, theta);
  for (const [i, { values }] of [expected.mlp, expected.hidden, expected.cell].entries()) {
    const { address, length } = outputs[i]!;
    expectClose('the direct form of the network per tensor', [arena.floats(address, length)], [values]);
  }
  return {
    run() {
      controllerDirect(call);
    },
    dispose() {},
  };
}
