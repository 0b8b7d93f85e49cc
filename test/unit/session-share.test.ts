import { describe, expect, it } from 'vitest';
import { ended, SessionShare } from '../../src/connector/session-share.ts';

/** A job that ends when it is told to. */
class Job {
  /** Who does it; null: nobody has begun. */
  session: string | null = null;
  #end: ((error?: Error) => void) | null = null;

  readonly work = (session: string): Promise<string> => {
    this.session = session;
    return new Promise((resolve, reject) => {
      this.#end = (error) => (error === undefined ? resolve(session) : reject(error));
    });
  };

  async end(error?: Error): Promise<void> {
    this.#end?.(error);
    await turn();
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

describe('work that is shared out among sessions', () => {
  it('is done by the first that is free, one job at a time, in the order in which it came', async () => {
    const share = new SessionShare(['a', 'b']);
    const jobs = [new Job(), new Job(), new Job(), new Job()] as const;
    const all = share.runAll(jobs.map(({ work }) => work));
    expect(jobs.map(({ session }) => session)).toEqual(['a', 'b', null, null]);
    await jobs[1].end();
    expect(jobs.map(({ session }) => session)).toEqual(['a', 'b', 'b', null]);
    await jobs[0].end();
    expect(jobs[3].session).toBe('a');
    await jobs[3].end();
    await jobs[2].end();
    expect(await all).toEqual(['a', 'b', 'b', 'a']);
  });

  it('goes on after a job that failed, which is told when nobody is at work any more', async () => {
    const share = new SessionShare(['a']);
    const jobs = [new Job(), new Job()] as const;
    let told = '';
    const all = share.runAll(jobs.map(({ work }) => work)).catch((error: unknown) => (told = String(error)));
    await jobs[0].end(new Error('refused'));
    expect([jobs[1].session, told]).toEqual(['a', '']);
    await jobs[1].end();
    await all;
    expect(told).toContain('refused');
  });
});

it('several answers are one when all have come, or the first failure', async () => {
  expect(await ended([Promise.resolve(1), null, Promise.resolve('x')])).toEqual([1, null, 'x']);
  await expect(ended([Promise.resolve(1), Promise.reject(new Error('no'))])).rejects.toThrow('no');
});
