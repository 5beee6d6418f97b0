/**
 * Adam (arXiv 1412.6980, algorithm 1) on one tensor, four entries at a time: the cheapest step that WebAssembly can make.
 *
 * The four arrays are float32 and padded to a multiple of four entries, which are computed too.
 *
 * @param rate the learning rate, divided by 1 - 0.9^t
 * @param correction 1 / (1 - 0.999^t)
 */
export function adam(
  parameter: usize,
  gradient: usize,
  first: usize,
  second: usize,
  length: i32,
  rate: f32,
  correction: f32,
): void {
  const keepFirst = f32x4.splat(0.9);
  const takeFirst = f32x4.splat(0.1);
  const keepSecond = f32x4.splat(0.999);
  const takeSecond = f32x4.splat(0.001);
  const rates = f32x4.splat(rate);
  const corrections = f32x4.splat(correction);
  const epsilon = f32x4.splat(1e-8);
  const bytes = (<usize>length) << 2;
  for (let i: usize = 0; i < bytes; i += 16) {
    const g = v128.load(gradient + i);
    const m = f32x4.add(f32x4.mul(keepFirst, v128.load(first + i)), f32x4.mul(takeFirst, g));
    const v = f32x4.add(f32x4.mul(keepSecond, v128.load(second + i)), f32x4.mul(takeSecond, f32x4.mul(g, g)));
    v128.store(first + i, m);
    v128.store(second + i, v);
    const scale = f32x4.add(f32x4.sqrt(f32x4.mul(corrections, v)), epsilon);
    v128.store(parameter + i, f32x4.sub(v128.load(parameter + i), f32x4.div(f32x4.mul(rates, m), scale)));
  }
}
