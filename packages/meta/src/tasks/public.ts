/** Task families, and what to make tasks and families of one's own from. */

export type { Activation, DenseLoss, Examples } from '../dense/network.ts';
export { type DenseTaskOptions, denseTask } from '../dense/task.ts';
export { type AttentionOptions, attentionTask } from './attention.ts';
export { type Augmentation, augmented, reparametrised, scaledLoss } from './augmentation.ts';
export { glyphImages, type ManifoldOptions, manifold } from './autoencoder.ts';
export { type ConvolutionLayer, type ConvolutionOptions, convolutionTask } from './convolution.ts';
export type { Counts, Data } from './data.ts';
export { type ExampleModel, type ExampleTaskOptions, exampleTask } from './example-task.ts';
export {
  type FunctionOptions,
  friedman,
  type LinearOptions,
  linearSigns,
  linearValues,
  type SinesOptions,
  sines,
} from './functions.ts';
export { type GlyphsOptions, glyphs } from './glyphs.ts';
export { FAMILIES, familyNamed } from './index.ts';
export { type LanguageOptions, languageTask } from './language.ts';
export { type MatrixFactorisationOptions, matrixFactorisationTask } from './matrix-factorisation.ts';
export { type BlobsOptions, blobs, type SpiralsOptions, spirals } from './point-clouds.ts';
export { type QuadraticOptions, quadraticTask } from './quadratic.ts';
export { type RecurrentOptions, recurrentTask } from './recurrent.ts';
export { type SequenceOptions, type Sequences, sequences } from './sequences.ts';
export { type TeacherOptions, teacherClasses, teacherValues } from './teacher.ts';
export { type TestFunction, type TestFunctionOptions, testFunctionTask } from './test-functions.ts';
export { type MarkovTextOptions, markovText, type Text } from './text.ts';
export { type TexturesOptions, textures } from './textures.ts';
