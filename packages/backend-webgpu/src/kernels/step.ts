/** The network applied to every entry, and the step (SPEC section 11). */
import type { Program } from '../program.ts';
import { FOLDED } from './fold.ts';
import { INDICES, ofColumn, ofRows } from './moments.ts';
import { each, entryPoint, FOLD_FOURS, overTiles, shaderOverSlots, THREADS as T } from './slots.ts';

/** Adds up the squares of the parameters and of their change, per tile. Also where no step was made (`squares`). */
const sumSquares = (change: string) => /* wgsl */ `
  parts[thread] = square;
  parts[${T}u + thread] = ${change};
  workgroupBarrier();
  if (thread < 2u) {
    var fours = vec4f();
    for (var k = thread * ${T}u; k < (thread + 1u) * ${T}u; k += 4u) {
      fours += vec4f(parts[k], parts[k + 1u], parts[k + 2u], parts[k + 3u]);
    }
    partials[slot.stepPartials + 2u * tile + thread] = fours.x + fours.y + fours.z + fours.w;
  }`;

/** One input of the network, four entries of it, into the sums of the four units of the first layer. */
const input = (column: number, x: string) => /* wgsl */ `
      { let x = ${x}; let weight = folded[${column}]; ${each((unit) => `h${unit} += x * weight[${unit}];`, 4)} }`;

export const stepProgram: Program = {
  name: 'step',
  access: 'rrrrwwr',
  code: shaderOverSlots(/* wgsl */ `
@group(0) @binding(1) var<storage, read> gradients: array<f32>;
@group(0) @binding(2) var<storage, read> state: array<f32>;
@group(0) @binding(3) var<storage, read> tables: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> parameters: array<f32>;
@group(0) @binding(5) var<storage, read_write> partials: array<f32>;
@group(0) @binding(6) var<storage, read> flag: array<u32>;

var<workgroup> folded: array<vec4f, ${FOLD_FOURS}>;
var<workgroup> parts: array<f32, ${2 * T}>;

fn load(at: u32, e: vec4u) -> vec4f { return vec4f(state[at + e.x], state[at + e.y], state[at + e.z], state[at + e.w]); }
${entryPoint(
  T,
  /* wgsl */ `
  let mayWrite = flag[0] == NO_FAULT;
  var square = 0.0;
  var changeSquare = 0.0;
  ${overTiles({
    before: /* wgsl */ `
  if (thread < ${FOLD_FOURS}u) { folded[thread] = tables[slot.fold + thread]; }
  workgroupBarrier();`,
    strip: /* wgsl */ `
    ${ofColumn('gradientFactor', 0)}
    ${ofColumn('share', 1)}`,
    quad: /* wgsl */ `
      if (!on.x) { break; }
      let gradientAt = slot.gradient + e;
      let raw = vec4f(gradients[gradientAt.x], gradients[gradientAt.y], gradients[gradientAt.z], gradients[gradientAt.w]);
      let g = clamp(raw, vec4f(-LIMIT), vec4f(LIMIT));
      let at = slot.parameter + e;
      let p = vec4f(parameters[at.x], parameters[at.y], parameters[at.z], parameters[at.w]);
      ${each((k) => `let m${k} = load(slot.moments + ${k}u * slot.size, e);`)}
      let r = load(slot.moments + 3u * slot.size, e);
      let q = inverseSqrt(r + SECOND_EPSILON);
      // Of the sums of the first layer, the share of rows and columns, biases included.
      var share = mat4x4f();
      var gradientFactor = mat4x4f();
      var momentumFactor = mat4x4f();
      if (slot.kind == 0u) {
        let bias = folded[${FOLDED.bias0}];
        share = mat4x4f(vec4f(bias.x), vec4f(bias.y), vec4f(bias.z), vec4f(bias.w));
        ${each(
          (k) => `{
          let v = load(slot.rowsAt + ${k}u * slot.size, e);
          let inverse = inverseSqrt(v + FACTORED_EPSILON);
          let ofV = folded[${FOLDED.weightV + k}];
          let ofInverse = folded[${FOLDED.weightV + 3 + k}];
          ${each((unit) => `share[${unit}] += v * ofV[${unit}] + inverse * ofInverse[${unit}];`, 4)}
          gradientFactor[${k}] = inverseSqrt(v + FLOOR);
          // Quirk: neither epsilon nor floor.
          momentumFactor[${k}] = inverseSqrt(v);
        }`,
        )}
      } else {
        ${INDICES}
        ${ofRows('gradientFactor', 0, '*')}
        ${ofRows('share', 1, '+')}
        momentumFactor = gradientFactor;
      }
      ${each((unit) => `var h${unit} = share[${unit}];`, 4)}
      ${[
        'g',
        'clamp(g, vec4f(-CLIP), vec4f(CLIP))',
        'p',
        'm0',
        'm1',
        'm2',
        'r',
        'm0 * q',
        'm1 * q',
        'm2 * q',
        'q',
        'g * gradientFactor[0]',
        'g * gradientFactor[1]',
        'g * gradientFactor[2]',
        'g * q',
        'm0 * momentumFactor[0]',
        'm1 * momentumFactor[1]',
        'm2 * momentumFactor[2]',
      ]
        .map((x, column) => input(FOLDED.weight0 + column, x))
        .join('')}
      ${each((unit) => `h${unit} = max(h${unit}, vec4f());`, 4)}
      let bias1 = folded[${FOLDED.bias1}];
      let bias2 = folded[${FOLDED.bias2}];
      let ofDirection = folded[${FOLDED.weight2}];
      let ofMagnitude = folded[${FOLDED.weight2 + 1}];
      var direction = vec4f(bias2.x);
      var magnitude = vec4f(bias2.y);
      ${each(
        (unit) => `{
        let weight = folded[${FOLDED.weight1 + unit}];
        let k = max(bias1[${unit}] + h0 * weight.x + h1 * weight.y + h2 * weight.z + h3 * weight.w, vec4f());
        direction += k * ofDirection[${unit}];
        magnitude += k * ofMagnitude[${unit}];
      }`,
        4,
      )}
      // Finite, so that a direction of 0 stays 0.
      let next = p - direction * exp(min(magnitude, vec4f(88.0)));
      let written = select(vec4f(), next, on);
      let change = select(vec4f(), next - p, on);
      ${['x', 'y', 'z', 'w'].map((k) => `square = fma(written.${k}, written.${k}, square);`).join(' ')}
      changeSquare += dot(change, change);
      if (mayWrite) {
        ${['x', 'y', 'z', 'w'].map((k) => `if (on.${k}) { parameters[at.${k}] = next.${k}; }`).join(' ')}
      }`,
  })}
  ${sumSquares('changeSquare')}`,
)}`),
};

/** The sums of squares of parameters as they are, to the last bit as the step that wrote them has summed them. */
export const squaresProgram: Program = {
  name: 'squares',
  access: 'rrw',
  code: shaderOverSlots(/* wgsl */ `
@group(0) @binding(1) var<storage, read> parameters: array<f32>;
@group(0) @binding(2) var<storage, read_write> partials: array<f32>;

var<workgroup> parts: array<f32, ${2 * T}>;
${entryPoint(
  T,
  /* wgsl */ `
  var square = 0.0;
  ${overTiles({
    quad: /* wgsl */ `
      if (!on.x) { break; }
      let at = slot.parameter + e;
      let p = select(vec4f(), vec4f(parameters[at.x], parameters[at.y], parameters[at.z], parameters[at.w]), on);
      ${['x', 'y', 'z', 'w'].map((k) => `square = fma(p.${k}, p.${k}, square);`).join(' ')}`,
  })}
  ${sumSquares('0.0')}`,
)}`),
};
