import type { UserConfig } from 'tsdown';
import { build } from '../../tools/tsdown.ts';

const config: UserConfig = { ...build('src/index.ts', 'src/golden.ts'), deps: { neverBundle: [/^node:/] } };
export default config;
