import type { UserConfig } from 'tsdown';
import { build } from '../../tools/tsdown.ts';

const config: UserConfig = build(
  'src/index.ts',
  'src/constants.ts',
  'src/reference/index.ts',
  'src/typed-arrays/index.ts',
);
export default config;
