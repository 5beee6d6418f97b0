/** The known weights: data only. An entry of the same form can be given to `loadTheta` as it is. */
import type { ThetaFormat } from './formats.ts';

/** A file to download and what is known about its contents. */
export interface WeightsFile {
  readonly url: string;
  /** Its exact length. */
  readonly bytes: number;
  /** SHA-256 of the file, 64 hexadecimal digits. */
  readonly sha256?: string;
  /** Git's name of the file, 40 hexadecimal digits: the SHA-1 of `blob ${bytes}\0` and the file. */
  readonly gitBlob?: string;
}

/** One place that has the weights, in one format; `files` make one theta together. */
export interface WeightsDownload {
  readonly host: string;
  readonly format: ThetaFormat;
  readonly files: readonly WeightsFile[];
}

/** Weights and where they come from. */
export interface WeightsEntry {
  /** What `loadTheta` and the command call it. */
  readonly name: string;
  readonly description: string;
  readonly authors: string;
  /** SPDX identifier. */
  readonly license: string;
  /** What to cite. */
  readonly citation: string;
  /** Address of the project that made it. */
  readonly source: string;
  readonly hiddenSize: number;
  readonly bankSize: number;
  /** In the order in which they are tried; every one gives the same theta. None: part of this package. */
  readonly downloads: readonly WeightsDownload[];
}

const WEIGHTS: readonly WeightsEntry[] = [
  {
    name: 'velo',
    description: 'VeLO as its authors released it: the weights of the paper',
    authors:
      'Luke Metz, James Harrison, C. Daniel Freeman, Amil Merchant, Lucas Beyer, James Bradbury, Naman Agrawal, Ben Poole, Igor Mordatch, Adam Roberts, Jascha Sohl-Dickstein (Google)',
    license: 'Apache-2.0',
    citation: 'arXiv:2211.09760',
    source: 'https://github.com/google/learned_optimization',
    hiddenSize: 512,
    bankSize: 256,
    downloads: [
      {
        host: 'Google',
        format: 'flax-params',
        files: [
          {
            url: 'https://storage.googleapis.com/gresearch/learned_optimization/pretrained_lopts/aug12_continue_on_bigger_2xbs_200kstep_bigproblem_v2_5620/params',
            bytes: 9_282_564,
            gitBlob: 'a1011ded0e4059aa01baab5a7e5b25374241ee56',
          },
        ],
      },
      {
        host: 'Hugging Face, amoudgl/velo-4000',
        format: 'flax-theta',
        files: [
          {
            url: 'https://huggingface.co/amoudgl/velo-4000/resolve/main/theta.state',
            bytes: 9_282_507,
            gitBlob: '2233e53ad4974489183a9863c8e165ab50ae4b63',
          },
        ],
      },
      {
        host: 'Hugging Face, Pauljanson002 (PyLO)',
        format: 'pylo',
        files: [
          { url: 'https://huggingface.co/Pauljanson002/VeLO_RNN/resolve/main/model.safetensors', bytes: 9_119_908 },
          { url: 'https://huggingface.co/Pauljanson002/VeLO_MLP/resolve/main/model.safetensors', bytes: 164_296 },
        ],
      },
    ],
  },
  {
    name: 'velo-mini',
    description: 'a small theta, meta-trained by velojs: the default, part of the package',
    authors: 'the authors of velojs',
    license: 'Apache-2.0',
    citation: 'velojs, packages/meta/velo-mini',
    source: 'https://github.com/velojs/velojs',
    hiddenSize: 16,
    bankSize: 4,
    downloads: [],
  },
];

/**
 * The weights that `loadTheta` knows by name, with authors, licence, addresses and checks.
 *
 * @example
 * ```ts
 * listWeights().map(({ name, license }) => `${name}: ${license}`); // ['velo: Apache-2.0', 'velo-mini: Apache-2.0']
 * ```
 */
export function listWeights(): readonly WeightsEntry[] {
  return WEIGHTS;
}
