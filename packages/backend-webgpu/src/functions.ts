/**
 * WGSL that programs share: exact to a few units in the last place wherever float32 reaches, and right about infinity
 * and NaN. The built-in functions need not be: on drivers in use `tanh` is NaN beyond 88, `exp` of NaN infinite, and
 * `log` off by a hundredth near 1.
 */
export const FUNCTIONS: string = /* wgsl */ `
fn isNaN(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }

// 2^power e^rest
fn accurateExp(x: f32) -> f32 {
  let bounded = clamp(x, -104, 89);
  let power = round(bounded * 1.4426950408889634);
  // ln 2 in two parts, the first so short that its product is exact.
  let rest = (bounded - power * 0.693359375) + power * 2.12194440e-4;
  let series = 1 + rest * (1 + rest * (1.0 / 2 + rest * (1.0 / 6 + rest * (1.0 / 24 + rest * (1.0 / 120
    + rest * (1.0 / 720 + rest * (1.0 / 5040)))))));
  let half = i32(power) / 2;
  let result = (series * powerOfTwo(half)) * powerOfTwo(i32(power) - half);
  return select(result, x, isNaN(x));
}

// For powers from -126 to 127.
fn powerOfTwo(power: i32) -> f32 { return bitcast<f32>(u32(power + 127) << 23u); }

// x = m 2^power, m between the roots of 1/2 and 2; ln m = 2 atanh((m - 1) / (m + 1))
fn accurateLog(x: f32) -> f32 {
  let bits = bitcast<u32>(x);
  // Shaders may not write these as constants.
  var special = 0xff800000u;
  if ((bits & 0x7fffffffu) == 0u) { return bitcast<f32>(special); }
  special = 0x7fc00000u;
  if (bits > 0x80000000u) { return bitcast<f32>(special); }
  if (bits >= 0x7f800000u) { return x; }
  // Below the normal numbers the bits are x / 2^-149.
  let isTiny = bits < 0x00800000u;
  let shifted = select(bits, bitcast<u32>(f32(bits)), isTiny) - 0x3f3504f3u;
  let power = f32((bitcast<i32>(shifted) >> 23u) - select(0, 149, isTiny));
  let m = bitcast<f32>((shifted & 0x007fffffu) + 0x3f3504f3u);
  let s = (m - 1) / (m + 1);
  let q = s * s;
  let series = 2 * s * (1 + q * (1.0 / 3 + q * (1.0 / 5 + q * (1.0 / 7 + q * (1.0 / 9)))));
  return power * 0.693359375 + (series - power * 2.12194440e-4);
}

fn accurateTanh(x: f32) -> f32 {
  let s = x * x;
  let e = accurateExp(-2 * abs(x));
  let series = x * (1 - s * (1.0 / 3 - s * (2.0 / 15 - s * (17.0 / 315 - s * (62.0 / 2835)))));
  return select(sign(x) * ((1 - e) / (1 + e)), series, s < 0.0625);
}

fn accurateSigmoid(x: f32) -> f32 {
  let e = accurateExp(-abs(x));
  return select(e, 1.0, x >= 0) / (1 + e);
}
`;
