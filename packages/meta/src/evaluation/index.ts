/** Evaluation of learned optimizers: suites, tuned baselines, statistics, reports. */
export { type Evaluation, type EvaluationOptions, type EvaluationProgress, evaluate } from './evaluate.ts';
export type { BaselineOutcome, CandidateOutcome, Outcome, TaskEvaluation } from './outcomes.ts';
export type { Candidate } from './plan.ts';
export { htmlReport } from './report/html.ts';
export { jsonReport } from './report/json.ts';
export { textReport } from './report/text.ts';
export type { CurvePoint } from './speed-up.ts';
export type { Estimate } from './statistics.ts';
export { openSuite, SUITE_NAMES, type Suite, type SuiteSource, type SuiteTask } from './suite.ts';
export type { CandidateSummary, Comparison, GroupSummary, SpeedUps } from './summary.ts';
