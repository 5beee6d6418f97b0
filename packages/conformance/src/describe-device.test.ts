import type { Backend } from '@velojs/core';
import { type ReferenceBackend, type ReferenceTensor, reference } from '@velojs/core/reference';
import { describeBackend } from './describe-backend.ts';

interface Device extends ReferenceBackend {
  readonly compiled: ReadonlySet<string>;
}

/**
 * The reference behaving as a device does: memory that the host does not see, bad values found late, and a program to be
 * compiled for each operation with other numbers in it.
 */
function device(): Device {
  const backend = reference({ memory: 'device' });
  const compiled = new Set<string>();
  const compile = (...program: unknown[]) => compiled.add(program.join(' '));
  const overrides: Partial<Backend<ReferenceTensor>> = {
    unary(op, x) {
      compile(op);
      return backend.unary(op, x);
    },
    binary(op, a, b) {
      compile(op, ...[a, b].map((side) => (typeof side === 'number' ? side : 'tensor')));
      return backend.binary(op, a, b);
    },
    reduce(op, x, axes) {
      compile(op, 'over', ...axes);
      return backend.reduce(op, x, axes);
    },
  };
  return Object.defineProperties({ ...overrides } as Device, {
    ...Object.fromEntries(
      Object.entries(Object.getOwnPropertyDescriptors(backend)).filter(([name]) => !(name in overrides)),
    ),
    compiled: { value: compiled },
  });
}

describeBackend('reference', {
  create: device,
  liveTensors: (backend: Device) => backend.liveTensors,
  compiledCount: (backend: Device) => backend.compiled.size,
  skip: { kernels: 'it is what kernels are compared with', hostMemory: 'devices have none' },
});
