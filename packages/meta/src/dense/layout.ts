/** Where the arrays of a network lie in the kernel's memory: the record that `assembly/index.ts` describes. */

const HEAD_WORDS = 9;
const LAYER_WORDS = 10;

/** Counts rows and columns in whole fours, as the kernel does. */
export const padded = (count: number): number => 4 * Math.ceil(count / 4);

/** Addresses in bytes. */
export interface Layout {
  /** The record, as it must stand at `record`. */
  readonly words: Int32Array;
  readonly record: number;
  /** `[examples, inputs]`, rows padded. */
  readonly inputs: number;
  /** `[examples, numbers per target]`, rows padded. */
  readonly targets: number;
  /** Of each layer the weights, then the bias. */
  readonly parameters: readonly number[];
  readonly gradients: readonly number[];
  /** The first address behind all of it. */
  readonly end: number;
}

/**
 * @param widths of the inputs, the hidden layers and the outputs
 * @param room examples, a multiple of 4
 * @param targetWidth numbers per target
 */
export function layoutOf(
  base: number,
  widths: readonly number[],
  activation: number,
  loss: number,
  room: number,
  targetWidth: number,
): Layout {
  const layers = widths.length - 1;
  const words = new Int32Array(HEAD_WORDS + LAYER_WORDS * (layers + 1));
  let end = base;
  const place = (numbers: number) => {
    const address = end;
    end += 4 * padded(numbers);
    return address;
  };
  const record = place(words.length);
  const widest = padded(Math.max(...widths.slice(1)));
  const targets = place(room * padded(targetWidth));
  words.set([
    layers,
    activation,
    loss,
    targetWidth,
    targets,
    place(padded(targetWidth) * room),
    place(widest * room),
    place(widest * room),
    place(widest * room),
  ]);

  const parameters: number[] = [];
  const gradients: number[] = [];
  for (let layer = 0; layer <= layers; layer++) {
    const inputs = widths[layer]!;
    const outputs = widths[layer + 1] ?? 0;
    const area = padded(inputs) * padded(outputs);
    const [weights, bias, weightGradients, biasGradients] = [area, outputs, area, outputs].map(place) as [
      number,
      number,
      number,
      number,
    ];
    // Behind the last layer only its outputs are placed.
    const inside = layer < layers;
    const byExample = place(inside ? room * padded(inputs) : 0);
    const byFeature = place(padded(inputs) * room);
    const transposed = place(layer > 0 ? area : 0);
    const derivatives = place(padded(outputs) * room);
    words.set(
      [inputs, outputs, weights, bias, transposed, byExample, byFeature, derivatives, weightGradients, biasGradients],
      HEAD_WORDS + LAYER_WORDS * layer,
    );
    if (inside) {
      parameters.push(weights, bias);
      gradients.push(weightGradients, biasGradients);
    }
  }
  return { words, record, inputs: words[HEAD_WORDS + 5]!, targets, parameters, gradients, end };
}
