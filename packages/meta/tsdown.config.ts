import type { UserConfig } from 'tsdown';
import { build } from '../../tools/tsdown.ts';

const config: UserConfig = build('src/index.ts', 'src/thread.ts', 'src/baselines/index.ts', 'src/evaluation/worker.ts');
export default config;
