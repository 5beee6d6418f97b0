import { VeloError } from '@velojs/core';
import { type ReferenceBackend, reference } from '@velojs/core/reference';
import { describe, expect, it, type RunnerTask, type RunnerTestCase, type RunnerTestSuite } from 'vitest';
import { describeBackend, open, slowTests } from './describe-backend.ts';

describe('a backend that cannot be created', () => {
  const unavailable = () => {
    throw new VeloError('BACKEND_UNAVAILABLE', 'No adapter.');
  };
  it('is skipped for the reason it gives', async () => {
    expect(await open('gpu', unavailable, false)).toBe('No adapter.');
  });
  it('fails where it is required', async () => {
    await expect(open('gpu', unavailable, true)).rejects.toThrow('gpu cannot be created');
  });
  it('fails for any other reason', async () => {
    const broken = async () => {
      throw new TypeError('no such function');
    };
    await expect(open('gpu', broken, false)).rejects.toThrow('gpu cannot be created');
  });
});

const testsOf = (task: RunnerTask): RunnerTestCase[] => (task.type === 'suite' ? task.tasks.flatMap(testsOf) : [task]);

describe('slow tests', () => {
  const ran: string[] = [];
  slowTests(undefined)('run', () => void ran.push('unless there is a reason'));
  slowTests('this is a test')('are skipped where the suite is reduced', () => void ran.push('for no reason'));
  it('run unless there is a reason', () => expect(ran).toEqual(['unless there is a reason']));
});

const referenceUnderTest = {
  create: () => reference(),
  liveTensors: (backend: ReferenceBackend) => backend.liveTensors,
  skip: { kernels: 'it is what kernels are compared with', compiledCount: 'nothing is compiled' },
};
describeBackend('reference', referenceUnderTest);

describe('reduced', () => {
  describeBackend('reference', { ...referenceUnderTest, reduced: 'this is a test' });
  it('skips tests by their names, some of each part at most, and none where everything is asked for', ({ task }) => {
    const [whole, reduced] = [task.file, task.suite!].map(
      ({ tasks }) => tasks.find(({ name }) => name === 'backend reference') as RunnerTestSuite,
    );
    expect(testsOf(reduced!).map(({ name }) => name)).toEqual(testsOf(whole!).map(({ name }) => name));
    const skipped = (of: RunnerTask) => testsOf(of).filter(({ result }) => result?.state === 'skip').length;
    const leftOut = skipped(reduced!) - skipped(whole!);
    if (process.env.VELOJS_FULL) expect(leftOut).toBe(0);
    else expect(leftOut).toBeGreaterThan(0);
    for (const part of reduced!.tasks) expect(skipped(part), part.name).toBeLessThan(testsOf(part).length);
  });
});
