/**
 * Theta as the products of the controller read it: in panels, in the order of reading.
 *
 * - per eight units of the pool: bias | common features | own features
 * - per group of four units: biases of gates i g | of f o | shared inputs, own inputs of i g | the same of f o
 * - per eight columns of the heads: bias | hidden state
 */
import {
  COMMON,
  COMMON_DEPTH,
  GROUP,
  groupCount,
  MLP_ROW,
  OWN,
  ownDepth,
  poolPanels,
  sharedDepth,
} from './controller-call';
import { PANEL_ROW_BYTES, PANEL_WIDTH, packHalfPanel, panelBytes } from './matrix-product';

@inline
function poolPanelBytes(): usize {
  return PANEL_ROW_BYTES + panelBytes(COMMON_DEPTH) + panelBytes(OWN);
}
@inline
function groupBytes(H: i32): usize {
  return 2 * (PANEL_ROW_BYTES + panelBytes(sharedDepth(H)) + panelBytes(ownDepth(H)));
}
@inline
function headPanelBytes(H: i32): usize {
  return PANEL_ROW_BYTES + panelBytes(H);
}
@inline
function groupsOffset(H: i32): usize {
  return <usize>poolPanels(H) * poolPanelBytes();
}
@inline
function headsOffset(H: i32): usize {
  return groupsOffset(H) + <usize>groupCount(H) * groupBytes(H);
}

@inline
export function poolPanel(packed: usize, panel: i32): usize {
  return packed + <usize>panel * poolPanelBytes();
}
@inline
export function gatePanels(packed: usize, H: i32, group: i32): usize {
  return packed + groupsOffset(H) + <usize>group * groupBytes(H);
}
@inline
export function headPanel(packed: usize, H: i32, panel: i32): usize {
  return packed + headsOffset(H) + <usize>panel * headPanelBytes(H);
}

/** Bytes of a packed theta. */
export function packedThetaBytes(H: i32): usize {
  return headsOffset(H) + <usize>(MLP_ROW / PANEL_WIDTH) * headPanelBytes(H);
}

/**
 * Packs what the products read, once per theta. Sources are row-major.
 *
 * @param featureGates [30, 4H]
 * @param inputWeight [H, 4H]
 * @param recurrentWeight [H, 4H]
 * @param gateBias [1, 4H]
 * @param poolWeight [30, H]
 * @param poolBias [1, H]
 * @param heads [H, 160]
 * @param headsBias [1, 160]
 * @param packed `packedThetaBytes(H)` bytes
 */
export function packTheta(
  H: i32,
  featureGates: usize,
  inputWeight: usize,
  recurrentWeight: usize,
  gateBias: usize,
  poolWeight: usize,
  poolBias: usize,
  heads: usize,
  headsBias: usize,
  packed: usize,
): void {
  memory.fill(packed, 0, packedThetaBytes(H));
  for (let panel = 0; panel < poolPanels(H); panel++) {
    packFeaturePanel(poolPanel(packed, panel), H, panel * PANEL_WIDTH, poolWeight, poolBias);
  }
  for (let group = 0; group < groupCount(H); group++) {
    const target = gatePanels(packed, H, group);
    for (let gate = 0; gate < 4; gate++) {
      packGate(target, H, group, gate, featureGates, inputWeight, recurrentWeight, gateBias);
    }
  }
  for (let panel = 0; panel < MLP_ROW / PANEL_WIDTH; panel++) {
    const target = headPanel(packed, H, panel);
    for (let half = 0; half < 2; half++) {
      const columns = <usize>(panel * PANEL_WIDTH + half * 4) << 2;
      const at = target + <usize>half * 16;
      packHalfPanel(at, headsBias + columns, 1, 0, 4);
      packHalfPanel(at + PANEL_ROW_BYTES, heads + columns, H, MLP_ROW << 2, 4);
    }
  }
}

/** Eight columns of a map of all features: bias | common features | own features. */
export function packFeaturePanel(panel: usize, H: i32, unit: i32, weight: usize, bias: usize): void {
  const stride = <usize>H << 2;
  for (let half: usize = 0; half < 2; half++) {
    const columns = min(4, H - unit);
    const offset = <usize>unit << 2;
    let target = panel + half * 16;
    packHalfPanel(target, bias + offset, 1, 0, columns);
    target += PANEL_ROW_BYTES;
    packHalfPanel(target, weight + offset, COMMON, stride, columns);
    target += panelBytes(COMMON_DEPTH);
    packHalfPanel(target, weight + <usize>COMMON * stride + offset, OWN, stride, columns);
    unit += 4;
  }
}

/** Gates i and g are the halves of one panel, f and o those of the next. */
function packGate(
  target: usize,
  H: i32,
  group: i32,
  gate: i32,
  featureGates: usize,
  inputWeight: usize,
  recurrentWeight: usize,
  gateBias: usize,
): void {
  const panel = <usize>(gate >> 1);
  const half = <usize>(gate & 1) * 16;
  const columns = min(GROUP, H - group * GROUP);
  const offset = <usize>(gate * H + group * GROUP) << 2;
  const stride = <usize>H << 4;
  packHalfPanel(target + panel * PANEL_ROW_BYTES + half, gateBias + offset, 1, 0, columns);
  target += 2 * PANEL_ROW_BYTES;
  target += panel * (panelBytes(sharedDepth(H)) + panelBytes(ownDepth(H))) + half;
  packHalfPanel(target, featureGates + offset, COMMON, stride, columns);
  packHalfPanel(target + panelBytes(COMMON_DEPTH), inputWeight + offset, H, stride, columns);
  target += panelBytes(sharedDepth(H));
  packHalfPanel(target, featureGates + <usize>COMMON * stride + offset, OWN, stride, columns);
  packHalfPanel(target + panelBytes(OWN), recurrentWeight + offset, H, stride, columns);
}
