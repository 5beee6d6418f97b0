import type { UserConfig } from 'tsdown';
import { build } from '../../tools/tsdown.ts';

const config: UserConfig = {
  ...build('src/index.ts', 'src/foreign-memory.ts', 'src/worker-of-browsers.ts', 'src/worker-of-node.ts'),
  // Whoever bundles or runs the package chooses between the two.
  external: ['#worker'],
};
export default config;
