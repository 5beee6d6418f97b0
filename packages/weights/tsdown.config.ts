import type { UserConfig } from 'tsdown';
import { build } from '../../tools/tsdown.ts';

const config: UserConfig = {
  ...build('src/index.ts', 'src/file-system.ts', 'src/no-file-system.ts'),
  // Whoever bundles or runs the package chooses between the two.
  external: ['#file-system'],
};
export default config;
