/** VeLO's contract on tf.Tensor, on whichever backend tfjs runs. */
import * as tf from '@tensorflow/tfjs-core';
import { type Backend, type BinaryOp, sizeOf, type Tree, tensorsOf, type UnaryOp, VeloError } from '@velojs/core';
import { BadSteps } from './bad-steps.ts';
import { hostMemoryOf } from './host-memory.ts';

export type TfjsBackend = Backend<tf.Tensor>;

const UNARY: Readonly<Record<UnaryOp, (x: tf.Tensor) => tf.Tensor>> = {
  abs: tf.abs,
  exp: tf.exp,
  log: tf.log,
  relu: tf.relu,
  rsqrt: tf.rsqrt,
  sigmoid: tf.sigmoid,
  sqrt: tf.sqrt,
  square: tf.square,
  tanh: tf.tanh,
};
const BINARY: Readonly<Record<BinaryOp, (a: tf.Tensor | number, b: tf.Tensor | number) => tf.Tensor>> = {
  add: tf.add,
  div: tf.div,
  max: tf.maximum,
  min: tf.minimum,
  mul: tf.mul,
  sub: tf.sub,
};

const backends = new WeakMap<tf.KernelBackend, TfjsBackend>();

/**
 * VeLO on the tensors of tfjs, on the backend that is active now: fused kernels on `cpu` and `wasm`, composed operations
 * elsewhere. The same object every time, for the same backend of tfjs.
 *
 * A `tf.Variable` given as a parameter is updated, like every optimizer of tfjs does; other tensors are copied.
 *
 * @throws VeloError `BACKEND_UNAVAILABLE` where tfjs has no backend that is ready, or one of half precision.
 * @example
 * ```ts
 * await tf.setBackend('wasm');
 * const weights = tf.variable(tf.randomNormal([784, 10]));
 * const velo = createVelo({ backend: tfjs(), theta, parameters: { w: weights }, totalSteps: 1_000 });
 * const { value, grads } = tf.variableGrads(loss, [weights]);
 * velo.step({ w: grads[weights.name] }, value); // weights have changed
 * ```
 */
export function tfjs(): TfjsBackend {
  const active = activeBackend();
  let backend = backends.get(active);
  if (!backend) {
    backend = createBackend(active, `tfjs-${tf.getBackend()}`);
    backends.set(active, backend);
  }
  return backend;
}

function activeBackend(): tf.KernelBackend {
  let backend: tf.KernelBackend;
  try {
    backend = tf.backend();
  } catch (cause) {
    throw new VeloError(
      'BACKEND_UNAVAILABLE',
      `tfjs has no backend that is ready (${(cause as Error).message.trim()}). Import one, such as @tensorflow/tfjs-backend-cpu, and await tf.ready() first.`,
      { cause },
    );
  }
  // Not `floatPrecision()`, which in tfjs 4.22 says 16 exactly where it should say 32.
  if (tf.getBackend() === 'webgl' && !tf.env().getBool('WEBGL_RENDER_FLOAT32_ENABLED')) {
    throw new VeloError(
      'BACKEND_UNAVAILABLE',
      "tfjs's backend webgl computes in half precision on this device, which is too little: await tf.setBackend('wasm') or 'cpu'.",
    );
  }
  return backend;
}

function createBackend(active: tf.KernelBackend, name: string): TfjsBackend {
  const host = hostMemoryOf(active);
  const firstNaN = host?.firstNaN;
  const badSteps = host ? null : new BadSteps();

  const backend: TfjsBackend = {
    name,
    arithmetic: 'float32',
    ...(host && {
      kernels: host.kernels,
      peek: (tensor: tf.Tensor) => host.peek(live(tensor)),
      ...(host.borrow && { borrow: host.borrow }),
      ...(firstNaN && { firstNaN: (tensor: tf.Tensor) => firstNaN(live(tensor)) }),
    }),
    ...(badSteps && {
      check: (gradients: readonly tf.Tensor[], loss: tf.Tensor | undefined, undo: () => Error) =>
        badSteps.check(gradients, loss, undo),
    }),

    isTensor,
    tensor(values, shape) {
      if (values.length !== sizeOf(shape)) {
        throw new VeloError('SHAPE_MISMATCH', `${values.length} values do not fill the shape [${shape}].`);
      }
      return tf.tensor(Float32Array.from(values), [...shape], 'float32');
    },
    async read(tensors) {
      if (host) return tensors.map((tensor) => host.peek(live(tensor)).slice());
      // Other handles, because who owns these may dispose of them meanwhile.
      const handles = tensors.map((tensor) => tf.keep(tf.clone(live(tensor))));
      try {
        const values = await Promise.all(handles.map((handle) => handle.data()));
        await badSteps?.settled();
        return values.map((each) => new Float32Array(each));
      } finally {
        for (const handle of handles) handle.dispose();
      }
    },
    async synchronize() {
      await badSteps?.settled();
    },
    dispose(tensor) {
      live(tensor).dispose();
      host?.sweep?.();
    },
    keep: (tensor) => tf.keep(live(tensor)),

    scope(body) {
      const engine = tf.engine();
      if (engine.backend !== active) {
        throw new VeloError(
          'BACKEND_UNAVAILABLE',
          `tfjs has changed from "${name.slice('tfjs-'.length)}" to "${tf.getBackend()}": choose its backend before making an optimizer.`,
        );
      }
      let survivors: tf.Tensor[] = [];
      engine.startScope('velo');
      try {
        const result = body();
        if (typeof (result as { then?: unknown } | null | undefined)?.then === 'function') {
          throw new VeloError('SCOPE_ASYNC', 'The body of a scope must not be asynchronous: read before or after it.');
        }
        // tfjs looks for them in arrays and objects too, but at every number of an array.
        survivors = tensorsOf(backend, result as Tree<tf.Tensor>);
        return result;
      } finally {
        engine.endScope(survivors);
      }
    },

    // Values are not copied before they are overwritten (`HostMemory.isShared`).
    own: (tensor) => (isVariable(tensor) ? tensor : tf.clone(live(tensor))),
    replace(state, next) {
      live(state);
      live(next);
      if (next === state) return tf.keep(state);
      const chosen = badSteps ? badSteps.choose(state, next) : next;
      if (chosen !== next) next.dispose();
      if (isVariable(state)) {
        state.assign(chosen);
        chosen.dispose();
        return state;
      }
      state.dispose();
      return tf.keep(chosen);
    },

    unary: (op, x) => UNARY[op](live(x)),
    binary: (op, a, b) => BINARY[op](operand(a), operand(b)),
    reduce: (op, x, axes) => (op === 'max' ? tf.max : tf.mean)(live(x), [...axes], true),
    matmul: (a, b) => tf.matMul(live(a), live(b)),
    reshape: (x, shape) => tf.reshape(live(x), [...shape]),
    expand(x, shape) {
      const { from, to } = joinAxes(live(x).shape, shape);
      return tf.reshape(tf.broadcastTo(tf.reshape(x, from), to), [...shape]);
    },
    slice: (x, axis, begin, end) =>
      tf.slice(
        live(x),
        x.shape.map((_, i) => (i === axis ? begin : 0)),
        x.shape.map((size, i) => (i === axis ? end - begin : size)),
      ),
    concat: (xs, axis) => tf.concat(xs.map(live), axis),
  };
  return backend;
}

/** Optimizers see float32 only: tfjs's other types are no numbers to train. */
const isTensor = (value: unknown): value is tf.Tensor => value instanceof tf.Tensor && value.dtype === 'float32';
const isVariable = (tensor: tf.Tensor): tensor is tf.Variable => tensor instanceof tf.Variable;
const operand = (x: tf.Tensor | number) => (typeof x === 'number' ? x : live(x));

/** tfjs itself lets some uses after `dispose` pass. @throws VeloError `DISPOSED` */
function live<T extends tf.Tensor>(tensor: T): T {
  if (!tensor.isDisposed) return tensor;
  throw new VeloError('DISPOSED', `A tensor of shape [${tensor.shape}] was used after it was disposed of.`);
}

/**
 * The same repetition with as few axes as can be: neighbours that are all repeated, or all not, become one. tfjs repeats
 * up to five axes on webgl, and from five on webgpu waits for the device.
 */
function joinAxes(shape: readonly number[], target: readonly number[]): { from: number[]; to: number[] } {
  const from: number[] = [];
  const to: number[] = [];
  let repeats: boolean | null = null;
  for (const [axis, size] of target.entries()) {
    if (size === 1) continue;
    const own = shape[axis] as number;
    const last = to.length - 1;
    if (repeats === (own === 1)) {
      from[last] = (from[last] as number) * own;
      to[last] = (to[last] as number) * size;
    } else {
      from.push(own);
      to.push(size);
    }
    repeats = own === 1;
  }
  return { from, to };
}
