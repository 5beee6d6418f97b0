import type { UserConfig } from 'tsdown';
import { build } from '../../tools/tsdown.ts';

const config: UserConfig = build(
  'src/index.ts',
  'src/thread.ts',
  'src/baselines/index.ts',
  'src/tasks/public.ts',
  'src/evaluation/index.ts',
);
export default config;
