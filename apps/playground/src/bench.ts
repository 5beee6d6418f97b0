/** The page that measures what a step costs in this browser. */
import { createEngine } from './engine/client.ts';
import { runBench } from './ui/bench.ts';

runBench(createEngine);
