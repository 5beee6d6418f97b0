/** What users hand over: parameters, gradients, losses; checked, and brought to the backend. */
import type { Backend, Tensor } from './backend.ts';
import { VeloError } from './errors.ts';
import { geometryOf, isSameShape, sizeOf } from './geometry.ts';
import type { LossKind } from './optimizer.ts';
import type { HostTensor } from './theta.ts';

/** A tensor of the backend, an array with its shape, or a vector. */
export type ParameterInput<T extends Tensor> = T | HostTensor | Float32Array;
/** As a parameter; a `Float32Array` may have any shape, only its length must fit. `null` skips the tensor this time. */
export type GradientInput<T extends Tensor> = T | HostTensor | Float32Array | null;
/** The structure of `P`, values by name or by position, with other values. */
export type Like<P, Value> = { readonly [Name in keyof P]: Value };
/** The same without knowing `P`. */
type Structure<Value> = Readonly<Record<string, Value>> | readonly Value[];

export function namesOf(parameters: object): string[] {
  if (typeof parameters !== 'object' || parameters === null) {
    throw new VeloError('INVALID_ARGUMENT', `parameters must be a record or a list of tensors; got ${parameters}.`);
  }
  const names = Object.keys(parameters);
  if (names.length === 0) throw new VeloError('EMPTY_TENSOR', 'There are no parameters to train: give at least one.');
  return names;
}

export const valuesOf = <Value>(structure: Structure<Value>, names: readonly string[]): Value[] =>
  names.map((name) => (structure as Readonly<Record<string, Value>>)[name]!);

/** Every name must be there, and no other. */
export function checkNames(given: unknown, names: readonly string[], what: 'gradient' | 'parameter'): void {
  const structure: object = typeof given === 'object' && given !== null ? given : {};
  for (const name of names) {
    if (!Object.hasOwn(structure, name) || (structure as Record<string, unknown>)[name] === undefined) {
      const hint = what === 'gradient' ? ' null skips a parameter.' : '';
      throw new VeloError(
        what === 'gradient' ? 'GRADIENT_MISSING' : 'PARAMETER_MISSING',
        `There is no ${what} for "${name}".${hint}`,
      );
    }
  }
  const keys = Object.keys(structure);
  if (keys.length > names.length) {
    const unknown = keys.find((name) => !names.includes(name));
    throw new VeloError(
      what === 'gradient' ? 'GRADIENT_UNKNOWN' : 'PARAMETER_UNKNOWN',
      `"${unknown}" is not among the parameters (${names.join(', ')}).`,
    );
  }
}

const isHostTensor = (value: unknown): value is HostTensor =>
  typeof value === 'object' &&
  value !== null &&
  Array.isArray((value as HostTensor).shape) &&
  isArrayLike((value as HostTensor).data);
const isArrayLike = (data: unknown): data is ArrayLike<number> => ArrayBuffer.isView(data) || Array.isArray(data);

export function uploadParameter<T extends Tensor>(backend: Backend<T>, value: ParameterInput<T>, name: string): T {
  const what = `Parameter "${name}"`;
  if (backend.isTensor(value)) {
    geometryOf(value.shape);
    if (backend.peek) checkFinite(backend.peek(value), what);
    return value;
  }
  const tensor = value instanceof Float32Array ? { shape: [value.length], data: value } : value;
  if (!isHostTensor(tensor)) {
    throw new VeloError(
      'INVALID_ARGUMENT',
      `${what} must be a tensor of the backend, { shape, data } or a Float32Array.`,
    );
  }
  const { shape, data } = tensor;
  checkLength(data, geometryOf(shape).size, `${what} of shape [${shape}]`);
  const values = float32(data);
  checkFinite(values, what);
  return backend.tensor(values, shape);
}

/** Gradients in the order of the parameters, checked, on the backend. */
export function uploadGradients<T extends Tensor>(
  backend: Backend<T>,
  gradients: Structure<GradientInput<T>>,
  names: readonly string[],
  shapes: readonly (readonly number[])[],
): (T | null)[] {
  checkNames(gradients, names, 'gradient');
  return valuesOf(gradients, names).map((value, j) => {
    if (value === null) return null;
    const what = `The gradient of "${names[j]}"`;
    const shape = shapes[j]!;
    if (backend.isTensor(value)) {
      checkShape(value.shape, shape, what);
      checkNumbers(backend, value, what);
      return value;
    }
    if (!(value instanceof Float32Array)) {
      if (!isHostTensor(value)) {
        throw new VeloError(
          'INVALID_ARGUMENT',
          `${what} must be a tensor of the backend, { shape, data }, a Float32Array or null.`,
        );
      }
      checkShape(value.shape, shape, what);
    }
    const given = value instanceof Float32Array ? value : value.data;
    checkLength(given, sizeOf(shape), what);
    const values = float32(given);
    const tensor = backend.borrow ? backend.borrow(values, shape) : backend.tensor(values, shape);
    checkNumbers(backend, tensor, what, values);
    return tensor;
  });
}

export function checkLoss<T extends Tensor>(
  backend: Backend<T>,
  loss: number | T,
  previous: LossKind | null,
): LossKind {
  if (loss === undefined || loss === null) {
    throw new VeloError('LOSS_REQUIRED', 'VeLO needs the loss of every step: step(gradients, loss).');
  }
  const kind = typeof loss === 'number' ? 'host' : 'device';
  if (kind === 'device' && !backend.isTensor(loss)) {
    throw new VeloError('LOSS_REQUIRED', `The loss must be a number or a tensor of the backend; got ${typeof loss}.`);
  }
  if (previous !== null && kind !== previous) {
    throw new VeloError(
      'LOSS_KIND_CHANGED',
      `The loss must stay ${previous === 'host' ? 'a number' : 'a tensor'}, as it was in the first step.`,
    );
  }
  if (typeof loss !== 'number') checkLength({ length: sizeOf(loss.shape) }, 1, 'The loss');
  const value = typeof loss === 'number' ? loss : backend.peek?.(loss)[0];
  if (value !== undefined && !Number.isFinite(value)) throw nonFinite(`The loss is ${value}`);
  return kind;
}

export function checkShape(shape: readonly number[], expected: readonly number[], what: string): void {
  if (!isSameShape(shape, expected)) {
    throw new VeloError('SHAPE_MISMATCH', `${what} has shape [${shape}]; it must be [${expected}].`);
  }
}

function checkLength(data: { readonly length: number }, expected: number, what: string): void {
  if (data.length !== expected) {
    throw new VeloError('SHAPE_MISMATCH', `${what} has ${data.length} values; it must have ${expected}.`);
  }
}

function checkFinite(data: ArrayLike<number>, what: string): void {
  for (let i = 0; i < data.length; i++) {
    if (!Number.isFinite(data[i])) throw nonFinite(`${what} has ${data[i]} at index ${i}`);
  }
}

/** Gradients may be infinite: they are clipped. `values` are those of `gradient`, where the caller has them at hand. */
function checkNumbers<T extends Tensor>(
  backend: Backend<T>,
  gradient: T,
  what: string,
  values?: Float32Array | Float64Array,
): void {
  const seen = backend.firstNaN ? undefined : (values ?? backend.peek?.(gradient));
  const bad = backend.firstNaN?.(gradient) ?? (seen ? firstNaN(seen) : -1);
  if (bad >= 0) throw nonFinite(`${what} has NaN at index ${bad}`);
}

/** As it will be stored: what is no number becomes NaN here, and is found; what is too large becomes infinite. */
const float32 = (data: ArrayLike<number>): Float32Array =>
  data instanceof Float32Array ? data : Float32Array.from(data);

function firstNaN(data: Float32Array | Float64Array): number {
  // On the path of every step, so a loop of its own for the one kind of array that it meets there.
  if (!(data instanceof Float32Array)) return data.findIndex(Number.isNaN);
  for (let i = 0; i < data.length; i++) {
    if (Number.isNaN(data[i])) return i;
  }
  return -1;
}

export const nonFinite = (what: string, step?: number): VeloError =>
  new VeloError(
    'NON_FINITE',
    `${what}. The optimizer is as it was before that step: skip the batch, or look for the cause in the model.`,
    step === undefined ? {} : { step },
  );
