import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { DEFAULT_STREAM } from '../../src/config/stream.ts';
import { readArchive } from '../../src/commands/certify-archive.ts';
import { positionOf } from '../../connectors/postgres/lsn.ts';

const received = positionOf('7310', '1', 0x100n);
const candidate = { stream: { ...DEFAULT_STREAM, archive: '/share/wal' } };
const { signal } = new AbortController();

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

test('an archive that hangs, as a share that burned with the primary does, holds up no verdict', async () => {
  const site = { archivedLog: () => new Promise<null>(() => undefined) };
  const found = readArchive(candidate, site, received, { signal });
  await vi.advanceTimersByTimeAsync(6_000);
  expect(await found).toEqual({
    folder: '/share/wal',
    until: null,
    bytes: null,
    problem: 'no answer within 5.0 s',
  });
});

test('of a candidate without an archive, of another engine, or of no use to it, nothing is told', async () => {
  const site = { archivedLog: () => Promise.resolve(null) };
  expect(await readArchive({ stream: DEFAULT_STREAM }, site, received, { signal })).toBeNull();
  expect(await readArchive(candidate, site, null, { signal })).toBeNull();
  expect(await readArchive(candidate, site, received, { signal })).toBeNull();
  expect(await readArchive(candidate, {}, received, { signal })).toBeNull();
});
