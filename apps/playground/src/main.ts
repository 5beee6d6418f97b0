/** The playground's page. */
import 'uplot/dist/uPlot.min.css';
import { createEngine } from './engine/client.ts';
import { runPlayground } from './ui/playground.ts';

runPlayground(createEngine);
