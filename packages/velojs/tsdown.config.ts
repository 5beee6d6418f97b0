import type { UserConfig } from 'tsdown';
import { build } from '../../tools/tsdown.ts';

const config: UserConfig = build('src/index.ts', 'src/cli.ts', 'src/train/index.ts');
export default config;
