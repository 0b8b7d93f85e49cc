import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { connectMysql, type MysqlConnector } from '../../connectors/mysql/connector.ts';
import { parsePosition } from '../../connectors/mysql/gtid.ts';
import { parseUrl } from '../../src/config/url.ts';
import type { ChangeStream } from '../../src/connector/changes.ts';
import type { FollowedSource } from '../../src/connector/ledger-sites.ts';
import type { RowShape } from '../../src/connector/contract.ts';
import type { Position } from '../../src/connector/position.ts';
import { fieldsOf } from '../../src/row/stream.ts';
import { shapeOf } from '../../src/ledger/shape.ts';
import { DigestSink } from '../../src/service/digest-sink.ts';
import { RowDigester, xxh64Digest } from '../../src/ledger/row-digest.ts';
import { until } from './harness/cli.ts';
import { createMysqlPair, type MysqlPair } from './harness/mysql-pair.ts';
import { describeMysql } from './harness/mysql-suite.ts';

const SCHEMA = `CREATE TABLE counter (id int PRIMARY KEY, n bigint NOT NULL);
  CREATE TABLE account (id bigint PRIMARY KEY, owner varchar(40), KEY (owner));
  CREATE TABLE named (name varchar(40) CHARACTER SET latin1 PRIMARY KEY, v int);
  CREATE TABLE keyless (v int);
  CREATE TABLE odd (a smallint unsigned, b binary(4), c varbinary(10), PRIMARY KEY (a, b, c));
  CREATE TABLE aria_or_myisam (id int PRIMARY KEY) ENGINE = MyISAM;
  INSERT INTO counter VALUES (1, 0);
  INSERT INTO account VALUES (-5, 'a'), (-1, 'b'), (0, 'c'), (300, 'd'), (70000, 'e');
  INSERT INTO odd VALUES (1, 'aaaa', 'x'), (256, 'aaaa', 'x'), (2, 'bbbb', ''), (2, 'bbbb', 'y')`;
/** Has what `preflight --sql` says that watch needs, and nothing else. */
const WATCHER = { user: 'watcher', password: 'watcher-s3cret' };
const ALL = { include: ['*'], exclude: [] };
const signal = new AbortController().signal;

await describeMysql('a %s site under a ledger', (flavor) => {
  let pair: MysqlPair;
  let primary: MysqlConnector;
  let candidate: MysqlConnector;
  let source: FollowedSource;

  const connect = (site: 'source' | 'replica'): Promise<MysqlConnector> =>
    connectMysql(
      parseUrl(pair[site].url(WATCHER.user, pair.database, WATCHER.password), 'secret').address,
      { jobs: 2, statementTimeoutMs: 60_000 },
      signal,
    );

  const shape = async (site: MysqlConnector, name: string): Promise<RowShape> => {
    const [described] = await site.describeTables({ include: [name], exclude: [] }, signal);
    const found = (await primary.sourceTables({ include: [name], exclude: [] }, 'logical', signal))[0]?.table;
    if (described === undefined || found == null) throw new Error(`there is no ${name}`);
    const answer = shapeOf(found, described, 'logical', 'candidate');
    if (answer.shape === null) throw new Error(answer.problem);
    return answer.shape;
  };

  beforeAll(async () => {
    pair = await createMysqlPair({ flavor, schema: SCHEMA });
    const root = await connectMysql(
      parseUrl(pair.source.url('root', pair.database), 'secret').address,
      { jobs: 1, statementTimeoutMs: 60_000 },
      signal,
    );
    const rootThere = await connectMysql(
      parseUrl(pair.replica.url('root', pair.database), 'secret').address,
      { jobs: 1, statementTimeoutMs: 60_000 },
      signal,
    );
    const [here, there] = [
      await root.ledgerSetup(ALL, WATCHER.user, signal),
      await rootThere.ledgerSetup(ALL, WATCHER.user, signal),
    ];
    await Promise.all([root.close(), rootThere.close()]);
    const unlock = flavor === 'mariadb' ? ' ACCOUNT UNLOCK' : '';
    await pair.write(`${here.sql}\nALTER USER ${WATCHER.user} IDENTIFIED BY '${WATCHER.password}'${unlock}`);
    await pair.write(there.sql);
    const mends = [here, there].map(({ findings }) => findings.map(({ sql = '' }) => sql).join('\n'));
    await pair.source.sql(mends[0] ?? '');
    await pair.replica.sql(mends[1] ?? '');
    primary = await connect('source');
    candidate = await connect('replica');
    source = await primary.followedSource(signal);
    await candidate.follow(source, signal);
  });

  afterAll(async () => {
    await Promise.allSettled([primary?.close(), candidate?.close()]);
    await pair?.destroy();
  });

  it('has all that it needs once the printed SQL was run', async () => {
    for (const site of [primary, candidate]) {
      const { sql, findings } = await site.ledgerSetup(ALL, null, signal);
      expect({ sql, blocks: findings.filter(({ severity }) => severity === 'block') }).toEqual({
        sql: '',
        blocks: [],
      });
    }
  });

  it('names the tables that the log cannot be followed of', async () => {
    const tables = await primary.sourceTables(ALL, 'logical', signal);
    const unfollowed = tables.filter((table) => table.unfollowed !== null).map(({ leaf }) => leaf);
    expect(unfollowed).toEqual(['bank.aria_or_myisam', 'bank.keyless']);
    for (const { unfollowed: why, table } of tables) expect(table === null).toBe(why !== null);
  });

  it('gives a table another fingerprint when it is redefined, and not when it is emptied', async () => {
    const print = async (): Promise<string | undefined> =>
      (await primary.sourceTables({ include: ['named'], exclude: [] }, 'logical', signal))[0]?.fingerprint;
    const first = await print();
    await pair.source.sql('TRUNCATE TABLE named', [], pair.database);
    expect(await print()).toBe(first);
    await pair.source.sql('ALTER TABLE named ADD COLUMN w int DEFAULT 7', [], pair.database);
    expect(await print()).not.toBe(first);
    await pair.caughtUp();
  });

  it('says what a read of the primary has: what it names as visible is in it, and all that is in it lies before its end', async () => {
    const account = await shape(primary, 'account');
    const before = await primary.witness(signal);
    await pair.source.sql(`INSERT INTO account VALUES (1, 'x')`, [], pair.database);
    const head = await primary.witness(signal);
    const [range] = await primary.planLeaf(
      (await primary.sourceTables({ include: ['account'], exclude: [] }, 'logical', signal))[0] ?? never(),
      account,
      { kind: 'block', rowsMax: 1000, bytesMax: 1e6 },
      signal,
    );
    const sink = new DigestSink(new RowDigester(xxh64Digest), account.keyFields);
    const { visible, until: end } = await primary.readSnapshot(
      { shape: account, range: range ?? never() },
      sink,
      signal,
    );
    expect(sink.rows).toHaveLength(6);
    expect(['equal', 'after']).toContain(primary.comparePositions(end, head.position));
    expect(visible(newestId(head.position))).toBe(true);
    expect(visible(nextId(head.position))).toBe(false);
    expect(primary.comparePositions(before.position, head.position)).toBe('before');
    const clock = Date.now() * 1000;
    expect(Math.abs(Number(head.timeUs) - clock)).toBeLessThan(120_000_000);
  });

  it('reads a moving replica between two positions of the primary', async () => {
    const counter = await shape(candidate, 'counter');
    const [start] = await pair.source.sql('SELECT n FROM counter', [], pair.database);
    const first = BigInt(String(start?.['n']));
    const offset = numberOf((await primary.witness(signal)).position) - first;
    const writer = await pair.source.connect({ database: pair.database });
    const stop = new AbortController();
    const load = (async () => {
      while (!stop.signal.aborted) await writer.query('UPDATE counter SET n = n + 1');
    })();
    try {
      const identity = Buffer.from([0, 0, 0, 4, 1, 0, 0, 0]);
      let moved = first;
      const end = Date.now() + 60_000;
      for (let read = 0; read < 60 || (moved <= first && Date.now() < end); read++) {
        const { rows, bracket } = await candidate.readRowsBracketed(counter, [identity], signal);
        const value = fieldsOf(rows[0]?.row ?? never())[1] ?? never();
        const n = Buffer.from(value).readBigInt64LE();
        if (bracket === null) throw new Error('no bracket');
        const [low, high] = [numberOf(bracket.atLeast) - offset, numberOf(bracket.atMost) - offset];
        expect(n).toBeGreaterThanOrEqual(low);
        expect(n).toBeLessThanOrEqual(high);
        expect(low === high || flavor === 'mysql').toBe(true);
        moved = n;
      }
      expect(moved).toBeGreaterThan(first);
    } finally {
      stop.abort();
      await load;
      await writer.end();
    }
    await pair.caughtUp();
    const { applied, received, bytes } = await candidate.pendingLog(signal);
    const { position } = await primary.witness(signal);
    expect({ applied, received, bytes }).toEqual({ applied: position, received: position, bytes: 0n });
  });

  it('cuts a replica’s rows by keys in the order of the ledger', async () => {
    const order = async (name: string): Promise<boolean> =>
      candidate.keyRange(await shape(candidate, name), null, null) !== null;
    expect(await order('account')).toBe(true);
    expect(await order('odd')).toBe(true);
    expect(await order('named')).toBe(false);
    const account = await shape(candidate, 'account');
    const identity = (id: bigint): Buffer => {
      const bytes = Buffer.alloc(12);
      bytes.writeInt32BE(8);
      bytes.writeBigInt64LE(id, 4);
      return bytes;
    };
    const range = candidate.keyRange(account, identity(-1n), identity(300n));
    const sink = new DigestSink(new RowDigester(xxh64Digest), account.keyFields);
    await candidate.readRangeBracketed({ shape: account, range: range ?? never() }, sink, signal);
    expect(sink.rows.map(({ identity: found }) => Buffer.from(found).readBigInt64LE(4))).toEqual([
      -1n,
      0n,
      1n,
    ]);
  });

  it('begins its own log where readers see all that lies before it, or tells what they do not see yet', async () => {
    const name = flavor === 'mysql' ? 'rpl_semi_sync_source' : 'rpl_semi_sync_master';
    const { replica } = pair;
    await pair.setReadOnly(false);
    if (flavor === 'mysql')
      await replica.sql(`SET SESSION sql_log_bin = 0; INSTALL PLUGIN ${name} SONAME 'semisync_source.so'`);
    await replica.sql(
      `SET GLOBAL ${name}_timeout = 600000; SET GLOBAL ${name}_wait_point = AFTER_SYNC; SET GLOBAL ${name}_enabled = ON`,
    );
    const logEnd = async (): Promise<string> => (await candidate.witness(signal)).position;
    const owned = async (): Promise<unknown> =>
      flavor === 'mysql'
        ? (await replica.sql('SELECT @@global.gtid_owned AS owned'))[0]?.['owned']
        : await logEnd();
    const isSeen = async (): Promise<boolean> =>
      (await replica.sql('SELECT 1 FROM account WHERE id = 999', [], pair.database)).length === 1;
    const before = await owned();
    const waits = replica.sql(`INSERT INTO account VALUES (999, 'local')`, [], pair.database);
    await until(async () => (await owned()) !== before, 'the local commit is in the log', 30_000);
    const opening = candidate.ownChanges({ after: null, pair: 'logical' }, signal);
    const wasSeen = opening.then(isSeen);
    // One that begins too early does so at once.
    const early = await (flavor === 'mysql' ? wasSeen : Promise.race([wasSeen, sleep(1000, null)]));
    await replica.sql(`SET GLOBAL ${name}_enabled = OFF`);
    await waits;
    const stream = await opening;
    try {
      expect(early).toBe(flavor === 'mysql' ? false : null);
      const seen = await wasSeen;
      const told = seen ? [] : await insertsOf(stream);
      expect({ seen, told }).toEqual(
        {
          mysql: { seen: false, told: ['bank.account'] },
          mariadb: { seen: true, told: [] },
        }[flavor],
      );
    } finally {
      await stream.close();
      await pair.setReadOnly(true);
    }
  });

  it.each(flavor === 'mysql' ? [flavor] : [])('waits for no transaction that %s has forgotten', async () => {
    const { position } = await candidate.witness(signal);
    const forgotten = new Set([newestId(position), newestId(position, 1_000_000n)]);
    await expect(candidate.commitsVisible(signal, forgotten)).resolves.toBeUndefined();
  });

  // MySQL gives such transactions GTIDs, which its log then lacks.
  it.each(flavor === 'mysql' ? [] : [flavor])(
    'of %s follows nothing of a primary that does not log what comes to it by replication',
    async () => {
      await pair.replica.kill();
      await pair.replica.restart({ log_slave_updates: 'OFF' });
      const upstream = await connect('replica');
      const followed = async (): Promise<readonly string[]> =>
        (await upstream.sourceTables(ALL, 'logical', signal)).flatMap(({ leaf, unfollowed }) =>
          unfollowed === null ? [leaf] : [],
        );
      try {
        await until(async () => (await followed()).length === 0, 'it replicates, and is followed', 30_000);
        const [{ unfollowed } = { unfollowed: '' }] = await upstream.sourceTables(ALL, 'logical', signal);
        expect(unfollowed).toContain('log_slave_updates');
        await pair.stopReplica();
        expect(await followed()).toContain('bank.account');
        await pair.startReplica();
        await upstream.follow(source, signal);
        expect(await followed()).toContain('bank.account');
      } finally {
        await upstream.close();
        await pair.replica.kill();
        await pair.replica.restart({ log_slave_updates: 'ON' });
        await candidate.close();
        candidate = await connect('replica');
      }
    },
    60_000,
  );

  async function secondsUp(): Promise<number> {
    const [row] = await pair.replica.sql("SHOW GLOBAL STATUS LIKE 'Uptime'");
    return Number(row?.['Value']);
  }

  it('is another incarnation after a restart, and refuses to follow when its replication was reset', async () => {
    const before = await candidate.incarnation(signal);
    expect(await candidate.incarnation(signal)).toBe(before);
    // A server tells the second of its start, and starts in less than one.
    await until(async () => (await secondsUp()) > 0, 'its first second is over', 30_000);
    await pair.replica.kill();
    await pair.replica.start();
    const again = await connect('replica');
    try {
      expect(await again.incarnation(signal)).not.toBe(before);
      await pair.stopReplica();
      await until(async () => (await again.follow(source, signal), true), 'it is still a replica', 30_000);
      await pair.replica.sql(flavor === 'mysql' ? 'RESET REPLICA ALL' : 'RESET SLAVE ALL');
      await expect(again.follow(source, signal)).rejects.toMatchObject({ code: 'TP-ROLES' });
    } finally {
      await again.close();
    }
  });
});

/** The tables of the rows that the first transaction of a stream inserts. */
async function insertsOf(stream: ChangeStream): Promise<readonly string[]> {
  const tables: string[] = [];
  for await (const events of stream.batches) {
    for (const event of events) {
      if (event.type === 'insert') tables.push(event.table.leaf);
      if (event.type === 'commit') return tables;
    }
  }
  return tables;
}

/** Of the one source or domain that a test pair has: how many transactions. */
function numberOf(position: Position): bigint {
  const parsed = parsePosition(position);
  if (parsed.kind === 'set') return [...parsed.set.values()][0]?.[0]?.[1] ?? 0n;
  return parsed.kind === 'list' ? ([...parsed.list.values()][0]?.sequence ?? 0n) : 0n;
}

function newestId(position: Position, step = 0n): string {
  const parsed = parsePosition(position);
  if (parsed.kind === 'set') return `${[...parsed.set.keys()][0] ?? ''}:${numberOf(position) + step}`;
  if (parsed.kind !== 'list') return never();
  const [[domain, { server }] = never()] = [...parsed.list];
  return `${domain}-${server}-${numberOf(position) + step}`;
}

function nextId(position: Position): string {
  return newestId(position, 1n);
}

function never(): never {
  throw new Error('this is not there');
}
