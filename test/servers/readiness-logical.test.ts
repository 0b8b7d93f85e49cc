import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Cluster, createCluster } from './harness/cluster.ts';
import {
  createLogicalPair,
  type LogicalPair,
  waitForApply,
  waitForTables,
} from '../../src/demo/cluster-logical.ts';
import { connectionString } from '../../src/demo/cluster-settings.ts';
import { judgeReadiness } from '../../src/readiness/judge.ts';
import { TwinproofError } from '../../src/errors.ts';
import { until } from './harness/cli.ts';
import {
  expectFault,
  expectFinding,
  expectGone,
  expectQuiet,
  openVerifier,
  ReadinessPair,
  troubleIn,
  verifierOf,
} from './harness/readiness.ts';
import { forever, ServerSet } from './harness/server-set.ts';
import { ServerSwitch } from './harness/server-switch.ts';

const SCHEMA = `
  CREATE TYPE mood AS ENUM ('calm', 'wild');
  CREATE DOMAIN price AS int CHECK (VALUE > 0); CREATE TYPE place AS (street text, town text);
  CREATE TABLE account (id bigserial PRIMARY KEY, owner text DEFAULT 'nobody', state mood);
  CREATE TABLE deal (id int PRIMARY KEY, account bigint REFERENCES account (id), amount int CHECK (amount > 0));
  CREATE INDEX deal_account ON deal (account);
  CREATE VIEW rich AS SELECT * FROM deal WHERE amount > 1000;
  CREATE MATERIALIZED VIEW total AS SELECT sum(amount) FROM deal;
  CREATE FUNCTION tax(int) RETURNS int LANGUAGE sql AS 'SELECT $1 / 10';
  CREATE FUNCTION fee(int) RETURNS int RETURN $1 / 100;
  CREATE FUNCTION told() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
  CREATE EVENT TRIGGER tell ON ddl_command_end WHEN TAG IN ('CREATE AGGREGATE') EXECUTE FUNCTION told();
  CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
  CREATE RULE never AS ON DELETE TO account WHERE old.id < 0 DO INSTEAD NOTHING;
  CREATE TRIGGER stamped BEFORE INSERT ON deal FOR EACH ROW EXECUTE FUNCTION stamp();
  CREATE ROLE app LOGIN; GRANT SELECT, INSERT ON deal TO app;
  ALTER TABLE deal ENABLE ROW LEVEL SECURITY; CREATE POLICY small ON deal USING (amount < 5000);
  ALTER ROLE app SET work_mem = '8MB';
  CREATE EXTENSION file_fdw; CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
  CREATE FOREIGN TABLE mail (line text) SERVER files OPTIONS (filename '/dev/null');`;

const REFRESH = 'ALTER SUBSCRIPTION dr REFRESH PUBLICATION';

const servers = new ServerSet();
let publisher: Cluster;
let subscriber: Cluster;
let logical: LogicalPair;
let pair: ReadinessPair;

beforeAll(async () => {
  const settings = { autovacuum: 'off', fsync: 'on' };
  [publisher, subscriber] = await Promise.all([
    createCluster({ version: 17, name: 'publisher', settings }),
    createCluster({ version: 17, name: 'subscriber', settings }),
  ]);
  for (const cluster of [publisher, subscriber]) servers.add(cluster);
  await Promise.all([publisher, subscriber].map((cluster) => cluster.sql(`${verifierOf(17)} ${SCHEMA}`)));
  await publisher.sql(`INSERT INTO account (owner) SELECT 'owner ' || g FROM generate_series(1, 10) g`);
  logical = await createLogicalPair(publisher, subscriber, { tables: ['account', 'deal'], name: 'dr' });
  await subscriber.sql(`SELECT setval('account_id_seq', 10)`);
  pair = new ReadinessPair(publisher, subscriber, 'logical');
});

afterAll(async () => {
  await pair.close();
  await servers.end();
});

/** SQL on one site that makes the fault, and what mends it. */
function expectSqlFault(code: string, site: () => Cluster, make: string, mend: string): Promise<unknown> {
  return expectFault(
    pair,
    code,
    () => site().sql(make),
    () => site().sql(mend),
  );
}

const atPrimary = (): Cluster => publisher;
const atCandidate = (): Cluster => subscriber;

test('a healthy pair gives no finding above a note, read without special rights', async () => {
  await expectQuiet(pair);
  const results = await pair.judge();
  expect(results.filter(({ state }) => state === 'unknown')).toEqual([]);
  expect(new Set(results.map(({ code }) => code)).size).toBeGreaterThan(55);
});

test('servers that are of two clusters are told as no physical pair', async () => {
  await expectFinding(new ReadinessPair(publisher, subscriber, 'physical'), 'TP-R-SYSTEM-ID');
});

describe('in the catalog of the candidate', () => {
  const dropped: readonly (readonly [string, string, string])[] = [
    [
      'TP-R-PG-COLUMN',
      'ALTER TABLE account ALTER owner SET NOT NULL',
      'ALTER TABLE account ALTER owner DROP NOT NULL',
    ],
    [
      'TP-R-PG-DEFAULT',
      'ALTER TABLE account ALTER owner DROP DEFAULT',
      `ALTER TABLE account ALTER owner SET DEFAULT 'nobody'`,
    ],
    [
      'TP-R-PG-CONSTRAINT',
      'ALTER TABLE deal DROP CONSTRAINT deal_amount_check',
      'ALTER TABLE deal ADD CHECK (amount > 0)',
    ],
    ['TP-R-PG-INDEX', 'DROP INDEX deal_account', 'CREATE INDEX otherwise ON deal (account)'],
    [
      'TP-R-PG-TRIGGER',
      'ALTER TABLE deal DISABLE TRIGGER stamped',
      'ALTER TABLE deal ENABLE TRIGGER stamped',
    ],
    ['TP-R-PG-VIEW', 'DROP VIEW rich', 'CREATE VIEW rich AS SELECT * FROM deal WHERE amount > 1000'],
    ['TP-R-PG-MATVIEW', 'REFRESH MATERIALIZED VIEW total WITH NO DATA', 'REFRESH MATERIALIZED VIEW total'],
    [
      'TP-R-PG-FOREIGN-TABLE',
      'DROP FOREIGN TABLE mail',
      `CREATE FOREIGN TABLE mail (line text) SERVER files OPTIONS (filename '/dev/null')`,
    ],
    [
      'TP-R-PG-ROUTINE',
      `CREATE OR REPLACE FUNCTION tax(int) RETURNS int LANGUAGE sql AS 'SELECT $1 / 5'`,
      `CREATE OR REPLACE FUNCTION tax(int) RETURNS int LANGUAGE sql AS 'SELECT $1 / 10'`,
    ],
    [
      'TP-R-PG-POLICY',
      'ALTER TABLE deal DISABLE ROW LEVEL SECURITY',
      'ALTER TABLE deal ENABLE ROW LEVEL SECURITY',
    ],
    ['TP-R-PG-GRANT', 'REVOKE INSERT ON deal FROM app', 'GRANT INSERT ON deal TO app'],
    ['TP-R-PG-ROLE-ATTRIBUTES', 'ALTER ROLE app NOLOGIN', 'ALTER ROLE app LOGIN'],
    ['TP-R-PG-OVERRIDES', 'ALTER ROLE app RESET work_mem', `ALTER ROLE app SET work_mem = '8MB'`],
    ['TP-R-UNLOGGED', 'CREATE UNLOGGED TABLE fleeting (v int)', 'DROP TABLE fleeting'],
  ];
  test.each(dropped)('%s', async (code, make, mend) => {
    await expectSqlFault(code, atCandidate, make, mend);
  });

  test('what has the name of the primary’s and is another', async () => {
    const found = await expectFault(
      pair,
      ['TP-R-PG-TRIGGER', 'TP-R-PG-VIEW', 'TP-R-PG-ROUTINE', 'TP-R-PG-TYPE'],
      () =>
        subscriber.sql(`ALTER EVENT TRIGGER tell DISABLE; ALTER TABLE account DISABLE RULE never;
          ALTER VIEW rich SET (security_barrier); ALTER DOMAIN price DROP CONSTRAINT price_check;
          ALTER TYPE place DROP ATTRIBUTE town; CREATE OR REPLACE FUNCTION fee(int) RETURNS int RETURN $1 / 50`),
      () =>
        subscriber.sql(`ALTER EVENT TRIGGER tell ENABLE; ALTER TABLE account ENABLE RULE never;
          ALTER VIEW rich RESET (security_barrier); ALTER DOMAIN price ADD CHECK (VALUE > 0);
          ALTER TYPE place ADD ATTRIBUTE town text; CREATE OR REPLACE FUNCTION fee(int) RETURNS int RETURN $1 / 100`),
    );
    expect(found.map(({ subject }) => subject).sort()).toEqual([
      'event trigger tell',
      'public.fee(integer)',
      'public.place',
      'public.price',
      'public.rich',
      'rule public.account.never',
    ]);
  });

  test('a sequence behind the data and the primary', () =>
    expectFault(
      pair,
      ['TP-R-SEQUENCE-DATA', 'TP-R-SEQUENCE-PRIMARY'],
      () => subscriber.sql(`SELECT setval('account_id_seq', 9)`),
      () => subscriber.sql(`SELECT setval('account_id_seq', 10)`),
    ));

  test('a sequence that is behind a column that it does not belong to, but feeds', async () => {
    const [found] = await expectFault(
      pair,
      'TP-R-SEQUENCE-DATA',
      () =>
        subscriber.sql(`CREATE DOMAIN figure AS numeric; CREATE DOMAIN bill AS figure;
          CREATE TABLE receipt (number bill DEFAULT nextval('account_id_seq'));
          INSERT INTO receipt VALUES (500.5), ('NaN'), (NULL)`),
      () => subscriber.sql('DROP TABLE receipt; DROP DOMAIN bill, figure'),
    );
    expect(found?.message).toContain('its next value is 11, and public.receipt.number holds 501 already');
  });

  test('a key', () =>
    // The subscription looks rows up by it, so it comes back under the same name.
    expectFault(
      pair,
      ['TP-R-PG-KEY'],
      () => subscriber.sql('ALTER TABLE deal DROP CONSTRAINT deal_pkey'),
      () => subscriber.sql('ALTER TABLE deal ADD PRIMARY KEY (id)'),
    ));

  test('a trigger that fires while changes are applied', () =>
    expectFault(
      pair,
      ['TP-R-PG-TRIGGER-FIRES', 'TP-R-PG-TRIGGER'],
      () => subscriber.sql('ALTER TABLE deal ENABLE ALWAYS TRIGGER stamped'),
      () => subscriber.sql('ALTER TABLE deal ENABLE TRIGGER stamped'),
    ));

  test('a role, and what it may', () =>
    expectFault(
      pair,
      ['TP-R-PG-ROLE', 'TP-R-PG-GRANT', 'TP-R-PG-OVERRIDES'],
      () => subscriber.sql('DROP OWNED BY app; DROP ROLE app'),
      () =>
        subscriber.sql(`CREATE ROLE app LOGIN; GRANT SELECT, INSERT ON deal TO app;
          ALTER ROLE app SET work_mem = '8MB'`),
    ));
});

describe('on the primary, without the candidate', () => {
  const added: readonly (readonly [string, string, string])[] = [
    ['TP-R-PG-TYPE', `CREATE TYPE hue AS ENUM ('red')`, 'DROP TYPE hue'],
    ['TP-R-PG-EXTENSION', 'CREATE EXTENSION amcheck', 'DROP EXTENSION amcheck'],
    ['TP-R-PG-LARGE-OBJECTS', 'SELECT lo_create(7)', 'SELECT lo_unlink(7)'],
    [
      'TP-R-PG-PUBLICATION-OPERATIONS',
      `ALTER PUBLICATION dr SET (publish = 'insert, update')`,
      `ALTER PUBLICATION dr SET (publish = 'insert, update, delete, truncate')`,
    ],
    [
      'TP-R-PG-ROW-FILTER',
      'ALTER PUBLICATION dr SET TABLE account, deal WHERE (id > 5)',
      'ALTER PUBLICATION dr SET TABLE account, deal',
    ],
    [
      'TP-R-PG-COLUMN-LIST',
      'ALTER PUBLICATION dr SET TABLE account (id, owner), deal',
      'ALTER PUBLICATION dr SET TABLE account, deal',
    ],
    [
      'TP-R-PG-REPLICA-IDENTITY',
      'ALTER TABLE deal REPLICA IDENTITY NOTHING',
      'ALTER TABLE deal REPLICA IDENTITY DEFAULT',
    ],
    ['TP-R-SEQUENCE-PRIMARY', `SELECT setval('account_id_seq', 11)`, `SELECT setval('account_id_seq', 10)`],
    ['TP-R-PG-UNPUBLISHED', 'ALTER PUBLICATION dr DROP TABLE deal', 'ALTER PUBLICATION dr ADD TABLE deal'],
  ];
  test.each(added)('%s', async (code, make, mend) => {
    await expectSqlFault(code, atPrimary, make, mend);
  });

  test('a primary key that may be deferred, which identifies no row', () =>
    expectFault(
      pair,
      ['TP-R-PG-REPLICA-IDENTITY', 'TP-R-PG-KEY'],
      () => publisher.sql('ALTER TABLE deal DROP CONSTRAINT deal_pkey, ADD PRIMARY KEY (id) DEFERRABLE'),
      () => publisher.sql('ALTER TABLE deal DROP CONSTRAINT deal_pkey, ADD PRIMARY KEY (id)'),
    ));

  test('a table that is neither published nor there, unless it is out of scope', async () => {
    const judging = { inScope: (table: string): boolean => table !== 'public.news' };
    const found = await expectFault(
      pair,
      ['TP-R-PG-TABLE-MISSING', 'TP-R-PG-UNPUBLISHED'],
      async () => {
        await publisher.sql('CREATE TABLE news (id int PRIMARY KEY)');
        expect(troubleIn(await pair.judge(judging))).toEqual([]);
      },
      () => publisher.sql('DROP TABLE news'),
    );
    expect(found.map(({ subject }) => subject)).toEqual(['public.news', 'public.news']);
  });

  test('a table that is published since, and not subscribed to', async () => {
    const fresh = 'CREATE TABLE fresh (id int PRIMARY KEY)';
    const [found] = await expectFault(
      pair,
      'TP-R-PG-UNSUBSCRIBED',
      async () => {
        await subscriber.sql(fresh);
        await publisher.sql(`${fresh}; INSERT INTO fresh VALUES (1); ALTER PUBLICATION dr ADD TABLE fresh`);
      },
      () => subscriber.sql(REFRESH),
    );
    expect(found?.subject).toBe('public.fresh');
    await publisher.sql('DROP TABLE fresh');
    await subscriber.sql(REFRESH);
    await subscriber.sql('DROP TABLE fresh');
  });

  test('partitions need not be the same as long as the root is', async () => {
    await publisher.sql(`CREATE TABLE part (id int PRIMARY KEY) PARTITION BY RANGE (id);
      CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (0) TO (9);
      ALTER PUBLICATION dr ADD TABLE part; ALTER PUBLICATION dr SET (publish_via_partition_root = true)`);
    await subscriber.sql('CREATE TABLE part (id int PRIMARY KEY)');
    await subscriber.sql(REFRESH);
    await expectQuiet(pair);
    await publisher.sql('ALTER PUBLICATION dr DROP TABLE part; DROP TABLE part');
    await subscriber.sql(REFRESH);
    await subscriber.sql('DROP TABLE part');
    await expectQuiet(pair);
  });
});

describe('between the two servers', () => {
  test('collations that their libraries give in different versions', async () => {
    // As on two machines: the name is one, what is behind it is not.
    const physical = new ReadinessPair(publisher, subscriber, 'physical');
    const make = (provider: string): string =>
      `CREATE COLLATION german (${provider}); CREATE TABLE word (w text COLLATE german)`;
    const drop = 'DROP TABLE word; DROP COLLATION german';
    const icu = make(`provider = icu, locale = 'de'`);
    await publisher.sql(icu);
    await subscriber.sql(make(`provider = libc, locale = 'C'`));
    const found = await expectFinding(physical, 'TP-R-PG-COLLATION-SITES');
    expect(found.map(({ subject }) => subject)).toContain('collation public.german');
    await subscriber.sql(drop);
    await subscriber.sql(icu);
    await expectGone(physical, 'TP-R-PG-COLLATION-SITES');
    await physical.close();
    for (const site of [publisher, subscriber]) await site.sql(drop);
  });

  test('another locale of the database', () => {
    const locale = (name: string): Promise<unknown> =>
      subscriber.sql(`UPDATE pg_database SET datcollate = '${name}' WHERE datname = 'postgres'`);
    return expectFault(
      pair,
      'TP-R-PG-LOCALE',
      () => locale('POSIX'),
      () => locale('C'),
    );
  });

  test('less room for clients than on the primary', () => {
    const room = async (connections: string): Promise<void> => {
      await subscriber.configure({ max_connections: connections });
      await subscriber.restart();
    };
    return expectFault(
      pair,
      'TP-R-PG-CAPACITY',
      () => room('40'),
      () => room('60'),
    );
  });

  test('a candidate that refuses writes', async () => {
    const readOnly = async (value: string): Promise<void> => {
      await subscriber.configure({ default_transaction_read_only: value });
      await subscriber.reload();
    };
    await expectFault(
      pair,
      'TP-R-PG-READ-ONLY',
      async () => {
        await readOnly('on');
        await expectFinding(pair, 'TP-R-WRITABLE-SUBSCRIBER');
      },
      () => readOnly('off'),
    );
    await expectGone(pair, 'TP-R-WRITABLE-SUBSCRIBER');
  });

  test('an address that another server answers in the middle of a run', async () => {
    const relay = await ServerSwitch.to(subscriber.port);
    const site = await openVerifier(`postgres://verifier@127.0.0.1:${relay.port}/postgres`, forever());
    const failed = async (from: Cluster, to: Cluster): Promise<readonly string[]> => {
      relay.lead(from.port);
      const identity = await again(() => site.identify(forever()));
      if (to !== from) relay.lead(to.port);
      const facts = await again(() => site.readiness(forever(), { pair: 'logical' }));
      const seen = { identity, facts };
      return judgeReadiness({ pair: 'logical', primary: seen, candidate: seen })
        .filter(({ code, state }) => code.startsWith('TP-R-STABLE-') && state === 'fail')
        .map(({ code }) => code);
    };
    expect(await failed(subscriber, publisher)).toEqual(['TP-R-STABLE-IDENTITY', 'TP-R-STABLE-PRIMARY']);
    expect(await failed(subscriber, subscriber)).toEqual([]);
    await site.close();
    await relay.close();
  });
});

/** The first word over a connection that was cut is that it was. */
async function again<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof TwinproofError) || error.code !== 'TP-CONNECTION-LOST') throw error;
    return ask();
  }
}

describe('in the subscription', () => {
  test('disabled', () =>
    expectFault(
      pair,
      ['TP-R-SUBSCRIPTION-DISABLED', 'TP-R-SUBSCRIPTION-WORKER'],
      () => subscriber.sql('ALTER SUBSCRIPTION dr DISABLE'),
      () => subscriber.sql('ALTER SUBSCRIPTION dr ENABLE'),
    ));

  test('erroring, and what is on record of it afterwards', async () => {
    await expectFault(
      pair,
      ['TP-R-SUBSCRIPTION-RETRIED'],
      async () => {
        await subscriber.sql(`INSERT INTO account VALUES (500, 'local')`);
        await publisher.sql(`INSERT INTO account VALUES (500, 'ours')`);
        await expectFinding(pair, 'TP-R-SUBSCRIPTION-ERRORS');
        await subscriber.sql('DELETE FROM account WHERE id = 500');
        await waitForApply(logical);
        await expectGone(pair, 'TP-R-SUBSCRIPTION-ERRORS');
        await publisher.sql('DELETE FROM account WHERE id = 500');
        await waitForApply(logical);
      },
      () => subscriber.sql('SELECT pg_stat_reset_subscription_stats(oid) FROM pg_subscription'),
    );
  });

  test('set to skip a transaction', () =>
    expectSqlFault(
      'TP-R-SUBSCRIPTION-SKIP',
      atCandidate,
      `ALTER SUBSCRIPTION dr SKIP (lsn = 'FFFF/0')`,
      'ALTER SUBSCRIPTION dr SKIP (lsn = NONE)',
    ));

  test('with a table whose first copy cannot end', async () => {
    await publisher.sql('CREATE TABLE late (id int PRIMARY KEY); INSERT INTO late VALUES (1)');
    await publisher.sql('ALTER PUBLICATION dr ADD TABLE late');
    await subscriber.sql('CREATE TABLE late (id int PRIMARY KEY); INSERT INTO late VALUES (1)');
    await subscriber.sql(REFRESH);
    await expectFinding(pair, 'TP-R-SUBSCRIPTION-TABLES');
    await subscriber.sql('TRUNCATE late');
    const ready = `SELECT FROM pg_subscription_rel WHERE srsubstate <> 'r'`;
    await until(async () => (await subscriber.sql(ready)).length === 0, 'copied');
    await subscriber.sql('SELECT pg_stat_reset_subscription_stats(oid) FROM pg_subscription');
    await expectGone(pair, 'TP-R-SUBSCRIPTION-TABLES');
    await expectQuiet(pair);
  });

  test('a client that writes on the candidate', async () => {
    const writer = await subscriber.connect();
    await expectFault(
      pair,
      'TP-R-PG-LOCAL-WRITERS',
      () => writer.query(`BEGIN; INSERT INTO account VALUES (900, 'local')`),
      () => writer.query('ROLLBACK'),
    );
    await writer.end();
  });

  test('gone, or without its slot, or with one of which the log is no longer kept', async () => {
    await subscriber.sql('ALTER SUBSCRIPTION dr DISABLE');
    await until(
      async () => (await publisher.sql('SELECT FROM pg_replication_slots WHERE active')).length === 0,
      'released',
    );
    await publisher.configure({ max_slot_wal_keep_size: '1MB', wal_keep_size: '0' });
    await publisher.reload();
    const written = `SELECT pg_logical_emit_message(false, 'x', 'y'); SELECT pg_switch_wal()`;
    for (let segment = 0; segment < 3; segment += 1) await publisher.sql(written);
    await publisher.sql('CHECKPOINT');
    const [lost] = await expectFinding(pair, 'TP-R-PG-SUBSCRIPTION-SLOT');
    expect(lost?.message).toMatch(/no longer keeps the log|invalidated/);
    await publisher.sql(`SELECT pg_drop_replication_slot('dr')`);
    await expectFinding(pair, 'TP-R-PG-SUBSCRIPTION-SLOT');
    await subscriber.sql('ALTER SUBSCRIPTION dr SET (slot_name = NONE)');
    await subscriber.sql('DROP SUBSCRIPTION dr');
    await expectFinding(pair, 'TP-R-SUBSCRIPTION-NONE');
    await subscriber.sql(
      `CREATE SUBSCRIPTION dr CONNECTION '${upstreamOf(publisher)}' PUBLICATION dr WITH (copy_data = false)`,
    );
    await waitForTables(logical);
    await expectGone(pair, 'TP-R-SUBSCRIPTION-NONE');
    await expectGone(pair, 'TP-R-PG-SUBSCRIPTION-SLOT');
    await expectQuiet(pair);
  });
});

function upstreamOf({ port }: Cluster): string {
  const upstream = { host: '127.0.0.1', port: String(port), user: 'postgres', dbname: 'postgres' };
  return connectionString(upstream).replaceAll("'", "''");
}
