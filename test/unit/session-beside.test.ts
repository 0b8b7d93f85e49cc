import { expect, test } from 'vitest';
import { sessionBeside } from '../../src/connector/session-beside.ts';
import { TwinproofError } from '../../src/errors.ts';

class OneSession {
  closed = false;
  readonly server: string;

  constructor(server: string) {
    this.server = server;
  }

  close(): Promise<void> {
    this.closed = true;
    return Promise.resolve();
  }
}

const quiet = new AbortController().signal;
const instanceOf = (one: OneSession): Promise<string> => Promise.resolve(one.server);

test('a second session to the same server is handed out open', async () => {
  const beside = new OneSession('a');
  const open = (): Promise<OneSession> => Promise.resolve(beside);
  expect(await sessionBeside(new OneSession('a'), { open, instanceOf }, quiet)).toBe(beside);
  expect(beside.closed).toBe(false);
});

test('a second session that ends in another server is closed', async () => {
  const beside = new OneSession('b');
  const open = (): Promise<OneSession> => Promise.resolve(beside);
  expect(await sessionBeside(new OneSession('a'), { open, instanceOf }, quiet)).toBeNull();
  expect(beside.closed).toBe(true);
});

test('a second session is closed when the work is aborted before anybody knows where it ends', async () => {
  const ours = new OneSession('a');
  const beside = new OneSession('a');
  const stop = new AbortController();
  const parts = {
    open: (): Promise<OneSession> => Promise.resolve(beside),
    instanceOf: (one: OneSession): Promise<string> => {
      if (one !== ours) return instanceOf(one);
      stop.abort();
      return Promise.reject(new TwinproofError('TP-INTERRUPTED'));
    },
  };
  await expect(sessionBeside(ours, parts, stop.signal)).rejects.toThrow(TwinproofError);
  expect(beside.closed).toBe(true);
});

test('a server that refuses a second session, or loses it, gets along with one', async () => {
  const beside = new OneSession('a');
  const refused = (): Promise<OneSession> => Promise.reject(new TwinproofError('TP-UNREACHABLE'));
  expect(await sessionBeside(new OneSession('a'), { open: refused, instanceOf }, quiet)).toBeNull();
  const lost = (): Promise<string> => Promise.reject(new TwinproofError('TP-CONNECTION-LOST'));
  const open = (): Promise<OneSession> => Promise.resolve(beside);
  expect(await sessionBeside(new OneSession('a'), { open, instanceOf: lost }, quiet)).toBeNull();
  expect(beside.closed).toBe(true);
});
