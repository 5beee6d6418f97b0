/** The two networks of the page, for grey images of 16 x 16 pixels. */
import { layers, type Sequential, sequential } from '@tensorflow/tfjs-layers';
import { GLYPH_SIDE } from '../../packages/velojs/src/train/tasks/glyphs.ts';

export const NETWORKS: Readonly<Record<'dense' | 'convolutional', () => Sequential>> = {
  dense: () =>
    sequential({
      layers: [
        layers.flatten({ inputShape: [GLYPH_SIDE, GLYPH_SIDE, 1] }),
        layers.dense({ units: 64, activation: 'relu' }),
        layers.dense({ units: 10, activation: 'softmax' }),
      ],
    }),
  convolutional: () =>
    sequential({
      layers: [
        layers.conv2d({ inputShape: [GLYPH_SIDE, GLYPH_SIDE, 1], filters: 8, kernelSize: 3, activation: 'relu' }),
        layers.maxPooling2d({ poolSize: 2 }),
        layers.conv2d({ filters: 16, kernelSize: 3, activation: 'relu' }),
        layers.maxPooling2d({ poolSize: 2 }),
        layers.flatten(),
        layers.dense({ units: 10, activation: 'softmax' }),
      ],
    }),
};
