import type { UserConfig } from 'tsdown';
import { build } from '../../tools/tsdown.ts';

const config: UserConfig = {
  ...build('src/index.ts'),
  // Of the sources' own reference nothing is left.
  banner: { dts: '/// <reference types="@webgpu/types" />' },
};
export default config;
