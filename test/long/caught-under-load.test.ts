import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Cluster } from '../../src/demo/cluster.ts';
import { waitUntil } from '../../src/demo/cluster-wait.ts';
import { ServerPair } from '../servers/harness/server-pair.ts';
import { SAME } from '../servers/harness/verify.ts';

const RUNS = 3;
/** Hot rows are given up sooner than in earnest. */
const ROUNDS = { roundsMax: 6 };

const SCHEMA = `CREATE TABLE hot (id int PRIMARY KEY, n bigint, note text);
  CREATE TABLE locale (k text COLLATE "en-x-icu" PRIMARY KEY, n bigint);
  CREATE TABLE log (at timestamptz, what text); ALTER TABLE log REPLICA IDENTITY FULL;
  CREATE TABLE parted (id int PRIMARY KEY, n bigint) PARTITION BY HASH (id);
  CREATE TABLE parted_a PARTITION OF parted FOR VALUES WITH (MODULUS 2, REMAINDER 0);
  CREATE TABLE parted_b PARTITION OF parted FOR VALUES WITH (MODULUS 2, REMAINDER 1);
  CREATE TABLE wide (id int PRIMARY KEY, n int, big text);
  ALTER TABLE wide ALTER big SET STORAGE EXTERNAL;`;

const ROWS = `INSERT INTO hot SELECT g, 0, 'row ' || g FROM generate_series(1, 3000) g;
  INSERT INTO locale SELECT 'key ' || g, 0 FROM generate_series(1, 500) g;
  INSERT INTO log SELECT now(), 'x' || g FROM generate_series(1, 500) g;
  INSERT INTO parted SELECT g, 0 FROM generate_series(1, 500) g;
  INSERT INTO wide SELECT g, 0, repeat(md5(g::text), 2000) FROM generate_series(1, 25) g;`;

/** One step of the writer: hot rows, rows that come and go, moves of keys, all in transactions of several tables. */
const STEP = `BEGIN;
  UPDATE hot SET n = n + 1 WHERE id IN (1, 2, 3);
  UPDATE parted SET n = n + 1 WHERE id IN (1, 2);
  COMMIT;
  BEGIN;
  DELETE FROM hot WHERE id = $1; INSERT INTO hot VALUES ($1 + 5000, 0, 'new') ON CONFLICT DO NOTHING;
  UPDATE locale SET n = n + 1 WHERE k = 'key 1'; DELETE FROM locale WHERE k = 'Come ' || $1 - 3;
  INSERT INTO locale VALUES ('Come ' || $1, 1);
  INSERT INTO log VALUES (now(), 'y'), (now(), 'y'); DELETE FROM log WHERE what = 'x' || $1;
  UPDATE parted SET id = 10000 + id WHERE id = 500 - $1 % 400;
  UPDATE wide SET n = n + 1 WHERE id % 5 = $1 % 5 AND id <= 20;
  COMMIT;
  BEGIN; UPDATE hot SET n = -1, note = 'never'; ROLLBACK;`;

interface Writer {
  steps: number;
  stop(): Promise<void>;
}

/** Some hundred commits on hot rows, as fast as the server can; one row at a time, so that nobody deadlocks. */
const HAMMER = `DO $$ BEGIN FOR i IN 1..200 LOOP
  UPDATE hot SET n = n + 1 WHERE id = 4; COMMIT; UPDATE hot SET n = n + 1 WHERE id = 2999; COMMIT;
  UPDATE locale SET n = n + 1 WHERE k = 'key 2'; COMMIT; END LOOP; END $$`;

/** Writes without pause, from step `first` on, until stopped. */
function startWriting(primary: Cluster, first: number): Writer {
  const writer: Writer = { steps: 0, stop: () => Promise.resolve() };
  const stopping = new AbortController();
  const write = async (): Promise<void> => {
    const session = await primary.connect();
    for (; !stopping.signal.aborted; writer.steps += 1) {
      await session.query(STEP.replaceAll('$1', String(first + writer.steps)));
    }
    await session.end();
  };
  const hammer = async (): Promise<void> => {
    const session = await primary.connect();
    while (!stopping.signal.aborted) await session.query(HAMMER);
    await session.end();
  };
  const writing = Promise.all([write(), hammer()]).catch((error: unknown) => error);
  writer.stop = async () => {
    stopping.abort();
    const error = await writing;
    if (error instanceof Error) throw error;
  };
  return writer;
}

async function openPair(kind: 'logical' | 'physical'): Promise<ServerPair> {
  const options = { schema: SCHEMA, publicationOptions: 'publish_via_partition_root = true' };
  const pair = await ServerPair[kind](options);
  await pair.write(ROWS);
  return pair;
}

describe.each(['logical', 'physical'] as const)('on a %s pair that is written to all the time', (kind) => {
  let pair: ServerPair;
  beforeAll(async () => {
    pair = await openPair(kind);
  });
  afterAll(() => pair?.end());

  test('no row is called different, and all are the same when the writer has ended', async () => {
    const writer = startWriting(pair.primary, 10);
    for (let run = 0; run < RUNS; run += 1) {
      // Small ranges: many reads, each with its own snapshots.
      const limits = run % 2 === 0 ? ROUNDS : { ...ROUNDS, rangeRowsMax: 300, rangeBytesMax: 65_536 };
      const { outcome, tables } = await pair.verifier.run(['*'], { limits });
      expect(outcome).not.toBe('different');
      for (const { differences } of tables)
        expect(differences).toEqual({ missing: 0n, extra: 0n, changed: 0n });
    }
    await writer.stop();
    expect(writer.steps).toBeGreaterThan(3);
    await pair.write('SELECT 1');
    for (const [table, found] of await pair.verifier.findTwice(['*']))
      expect([table, found]).toEqual([table, SAME]);
  });
});

test('a standby that is behind is waited for before a row is called different', async () => {
  const pair = await ServerPair.physical({ schema: SCHEMA + ROWS });
  try {
    await pair.candidate.sql('SELECT pg_wal_replay_pause()');
    const paused = async (): Promise<boolean> =>
      (await pair.candidate.sql(`SELECT pg_get_wal_replay_pause_state() = 'paused' AS paused`))[0]?.[
        'paused'
      ] === true;
    await waitUntil(paused, 10_000, () => 'replay was not paused');
    await pair.primary.sql(`UPDATE hot SET n = 7 WHERE id < 10; DELETE FROM parted WHERE id < 10;
      INSERT INTO log VALUES (now(), 'late')`);
    const { candidate } = pair.verifier;
    const applied = candidate.applied.bind(candidate);
    let asked = 0;
    candidate.applied = async (signal) => {
      asked += 1;
      if (asked === 8) await pair.candidate.sql('SELECT pg_wal_replay_resume()');
      return applied(signal);
    };
    const { outcome } = await pair.verifier.run(['*']);
    expect([outcome, asked >= 8]).toEqual(['same', true]);
  } finally {
    await pair.end();
  }
});

describe('on a logical pair that is written to all the time', () => {
  let pair: ServerPair;
  beforeAll(async () => {
    pair = await openPair('logical');
  });
  afterAll(() => pair?.end());

  test('rows that are really wrong are found, and no others', async () => {
    await pair.tamper(`UPDATE hot SET note = 'wrong' WHERE id = 2900; DELETE FROM hot WHERE id = 2901;
      INSERT INTO hot VALUES (-1); UPDATE locale SET n = 77 WHERE k = 'key 400'; DELETE FROM parted WHERE id = 3;
      UPDATE wide SET big = overlay(big placing '#' from 40000) WHERE id IN (20, 25)`);
    const writer = startWriting(pair.primary, 10);
    const { tables } = await pair.verifier.run(['*'], { exclude: ['log'], limits: ROUNDS });
    await writer.stop();
    const samples = tables.flatMap((table) =>
      table.samples.map(({ kind, key }) => [kind, ...Object.values(key)].join(' ')),
    );
    // Row 20 is written to at every fifth step: it may be too hot to be judged, but never the same.
    expect(tables.filter(({ outcome }) => outcome === 'same')).toEqual([]);
    expect(new Set(samples.filter((sample) => sample !== 'changed 20'))).toEqual(
      new Set(['changed 2900', 'missing 2901', 'extra -1', 'changed key 400', 'missing 3', 'changed 25']),
    );
  });
});
