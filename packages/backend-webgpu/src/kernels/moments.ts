/**
 * Momentum and second moment advance (SPEC section 9), and what the network's normalisers and the statistics need is
 * summed up per tile. Means and squared deviations, rather than sums of squares, so that rounding makes no variance.
 */
import type { Program } from '../program.ts';
import { each, entryPoint, MOMENT_WORDS, overTiles, shaderOverSlots, THREADS as T } from './slots.ts';

/** Words of a tile in `partials`; g is clipped, m, r and v are advanced, q = rsqrt(r + 1e-6). */
export const MOMENT = {
  gradientSquare: 0,
  clipSquare: 1,
  scaledMomentumSquare: 2,
  inverseSquare: 5,
  factoredGradientSquare: 6,
  scaledGradientSquare: 9,
  factoredMomentumSquare: 10,
  vSquare: 13,
  vInverseSquare: 16,
  /** Of m (three) and r. */
  mean: 19,
  deviation: 23,
  count: 27,
} as const;
const QUANTITIES = 28;

/** Of four entries that are one below the other: `${name}0` to `${name}3` of their column, if it is one for all. */
export const ofColumn = (name: string, part: Part): string => /* wgsl */ `
    var ${name}0 = vec4f();
    if (slot.kind == 1u && isColumn) { ${name}0 = tables[slot.vTable + 2u * (block * slot.width + w) + ${part}u]; }
    ${[1, 2, 3].map((k) => `var ${name}${k} = ${name}0;`).join(' ')}`;

/** u and v of four entries, the latter where small matrices are taken together. */
export const INDICES: string = /* wgsl */ `
        let u = select(vec4u(0u), rho * slot.inner + w % slot.inner, on);
        let perBlock = slot.first * slot.middle;
        let v = select(vec4u(0u), (rho / perBlock * slot.middle + rho % slot.middle) * slot.width + w, on);`;

/** What there is of the four entries' rows and columns, by channel or unit, `name` being that of `ofColumn`. */
export const ofRows = (name: string, part: Part, combine: '+' | '*'): string => {
  const entries = ['x', 'y', 'z', 'w'].map((axis, k) => ({ axis, column: `${name}${k}` }));
  return /* wgsl */ `
        if (slot.kind == 2u) {
          ${entries.map(({ axis, column }) => `${column} = tables[slot.vTable + 2u * v.${axis} + ${part}u];`).join(' ')}
        }
        ${name} = transpose(mat4x4f(
          ${entries.map(({ axis, column }) => `tables[slot.uTable + 2u * u.${axis} + ${part}u] ${combine} ${column}`).join(', ')},
        ));`;
};

/** Of the two fours of each row and column in `tables`: factors of three channels, or shares of four units. */
type Part = 0 | 1;

export const momentsProgram: Program = {
  name: 'moments',
  access: 'rrwrwr',
  code: shaderOverSlots(/* wgsl */ `
@group(0) @binding(1) var<storage, read> gradients: array<f32>;
@group(0) @binding(2) var<storage, read_write> state: array<f32>;
@group(0) @binding(3) var<storage, read> tables: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> partials: array<f32>;
@group(0) @binding(5) var<storage, read> flag: array<u32>;

var<workgroup> parts: array<f32, ${QUANTITIES * T}>;

fn load(at: u32, e: vec4u, on: vec4<bool>) -> vec4f {
  return select(vec4f(), vec4f(state[at + e.x], state[at + e.y], state[at + e.z], state[at + e.w]), on);
}

fn store(at: u32, e: vec4u, on: vec4<bool>, x: vec4f) {
  ${['x', 'y', 'z', 'w'].map((k) => `if (on.${k}) { state[at + e.${k}] = x.${k}; }`).join(' ')}
}
${entryPoint(
  T,
  /* wgsl */ `
  let mayWrite = flag[0] == NO_FAULT;
  var gradientSquare = 0.0;
  var clipSquare = 0.0;
  var inverseSquare = 0.0;
  var scaledGradient = 0.0;
  var entries = 0.0;
  ${each((k) => `var scaledMomentum${k} = 0.0; var gradient${k} = 0.0; var momentum${k} = 0.0; var vSquare${k} = 0.0; var vInverse${k} = 0.0;`)}
  // The thread's first values, from which it measures.
  var base = vec4f();
  var shifted = vec4f();
  var shiftedSquare = vec4f();
  ${overTiles({
    strip: ofColumn('factor', 0),
    quad: /* wgsl */ `
      if (!on.x) { break; }
      let mask = select(vec4f(), vec4f(1.0), on);
      let at = slot.gradient + e;
      let raw = vec4f(gradients[at.x], gradients[at.y], gradients[at.z], gradients[at.w]);
      let g = select(vec4f(), clamp(raw, vec4f(-LIMIT), vec4f(LIMIT)), on);
      let g2 = g * g;
      let rAt = slot.moments + 3u * slot.size;
      let r = SECOND_DECAY * load(rAt, e, on) + SECOND_WEIGHT * g2;
      ${each(
        (k) => `
      let at${k} = slot.moments + ${k}u * slot.size;
      let m${k} = DECAYS[${k}] * load(at${k}, e, on) + WEIGHTS[${k}] * g;`,
      )}
      var gradientFactor = mat3x4f();
      if (slot.kind == 0u) {
        ${each(
          (k) => `{
          let vAt = slot.rowsAt + ${k}u * slot.size;
          let v = DECAYS[${k}] * load(vAt, e, on) + WEIGHTS[${k}] * (g2 + SQUARE_EPSILON);
          if (mayWrite) { store(vAt, e, on, v); }
          vSquare${k} += dot(v * v, mask);
          vInverse${k} += dot(1.0 / (v + FACTORED_EPSILON), mask);
          gradientFactor[${k}] = 1.0 / (v + FLOOR);
          let inverse = inverseSqrt(v);
          // Of the quotient, not of its parts: 1 / v alone may be more than there are numbers for.
          let quotient = m${k} * inverse;
          momentum${k} += dot(quotient * quotient, mask);
        }`,
        )}
      } else {
        ${INDICES}
        var factor = mat4x4f();
        ${ofRows('factor', 0, '*')}
        ${each((k) => `gradientFactor[${k}] = factor[${k}] * factor[${k}];`)}
        ${each((k) => `momentum${k} += dot(m${k} * m${k}, gradientFactor[${k}]);`)}
      }
      if (mayWrite) {
        store(rAt, e, on, r);
        ${each((k) => `store(at${k}, e, on, m${k});`)}
      }
      let q = inverseSqrt(r + SECOND_EPSILON);
      let q2 = q * q * mask;
      let clipped = clamp(g, vec4f(-CLIP), vec4f(CLIP));
      gradientSquare += dot(g, g);
      clipSquare += dot(clipped, clipped);
      inverseSquare += dot(q2, vec4f(1.0));
      scaledGradient += dot(g2, q2);
      ${each(
        (k) => `
      scaledMomentum${k} += dot(m${k} * m${k}, q2);
      gradient${k} += dot(g2, gradientFactor[${k}]);`,
      )}
      if (entries == 0.0) { base = vec4f(m0.x, m1.x, m2.x, r.x); }
      entries += dot(mask, vec4f(1.0));
      let d0 = (m0 - base.x) * mask;
      let d1 = (m1 - base.y) * mask;
      let d2 = (m2 - base.z) * mask;
      let d3 = (r - base.w) * mask;
      shifted += vec4f(dot(d0, mask), dot(d1, mask), dot(d2, mask), dot(d3, mask));
      shiftedSquare += vec4f(dot(d0, d0), dot(d1, d1), dot(d2, d2), dot(d3, d3));`,
  })}
  let meanShift = shifted / max(entries, 1.0);
  let mean = base + meanShift;
  let deviation = max(shiftedSquare - shifted * meanShift, vec4f());
  let values = array<f32, ${QUANTITIES}>(
    gradientSquare, clipSquare, scaledMomentum0, scaledMomentum1, scaledMomentum2, inverseSquare,
    gradient0, gradient1, gradient2, scaledGradient, momentum0, momentum1, momentum2,
    vSquare0, vSquare1, vSquare2, vInverse0, vInverse1, vInverse2,
    mean.x, mean.y, mean.z, mean.w, deviation.x, deviation.y, deviation.z, deviation.w, entries,
  );
  ${each((q) => `parts[${q * T} + thread] = values[${q}];`, QUANTITIES)}
  workgroupBarrier();
  if (thread < ${QUANTITIES}u) {
    let to = slot.momentPartials + tile * ${MOMENT_WORDS}u + thread;
    let from0 = thread * ${T}u;
    if (thread < ${MOMENT.mean}u || thread == ${MOMENT.count}u) {
      var fours = vec4f();
      for (var k = from0; k < from0 + ${T}u; k += 4u) {
        fours += vec4f(parts[k], parts[k + 1u], parts[k + 2u], parts[k + 3u]);
      }
      partials[to] = dot(fours, vec4f(1.0));
    } else if (thread < ${MOMENT.deviation}u) {
      // The mean over all, and the squared deviations from it, by those of threads: the first has entries, whoever has not.
      let squaresAt = from0 + ${(MOMENT.deviation - MOMENT.mean) * T}u;
      let first = parts[from0];
      var total = 0.0;
      var sum = 0.0;
      var square = 0.0;
      for (var k = 0u; k < ${T}u; k++) {
        let n = parts[${MOMENT.count * T}u + k];
        let d = select(0.0, parts[from0 + k] - first, n > 0.0);
        total += n;
        sum += n * d;
        square += n * d * d + parts[squaresAt + k];
      }
      partials[to] = first + sum / total;
      partials[to + ${MOMENT.deviation - MOMENT.mean}u] = max(square - sum * (sum / total), 0.0);
    }
  }`,
)}`),
};
