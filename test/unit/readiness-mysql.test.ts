import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ChannelFact, MysqlFacts, MysqlValues } from '../../src/connector/facts-mysql.ts';
import type { ReadinessFacts } from '../../src/connector/facts.ts';
import type { Reading } from '../../src/connector/reading.ts';
import { judgeReadiness, type ReadinessResult } from '../../src/readiness/judge.ts';
import { MYSQL_RULES } from '../../src/readiness/mysql-rules.ts';
import type { ReadinessInput, SiteName } from '../../src/readiness/rule.ts';
import {
  PRIMARY_FACTS,
  PRIMARY_IDENTITY,
  SUBSCRIBER_FACTS,
  SUBSCRIBER_IDENTITY,
} from './readiness-fixture.ts';

const CHANNEL: ChannelFact = {
  name: '(default)',
  receiving: 'yes',
  applying: true,
  receiveErrno: 0,
  applyErrno: 0,
  delaySeconds: 0,
  byGtid: true,
  filters: [],
  workers: [],
};

const A = '3e11fa47-71ca-11e1-9e33-c80aa9429562';
const B = '4f22fa47-71ca-11e1-9e33-c80aa9429562';

const VALUES: MysqlValues = {
  variables: {
    log_bin: 'ON',
    log_replica_updates: 'ON',
    gtid_mode: 'ON',
    binlog_row_image: 'FULL',
    sync_binlog: '1',
    innodb_flush_log_at_trx_commit: '1',
    read_only: 'OFF',
    super_read_only: 'OFF',
    replica_exec_mode: 'STRICT',
    server_id: '1',
    server_uuid: A,
    version: '8.4.3',
    lower_case_table_names: '0',
    sql_mode: 'ANSI,STRICT_TRANS_TABLES',
    time_zone: 'SYSTEM',
    system_time_zone: 'UTC',
    max_connections: '100',
    event_scheduler: 'ON',
    rpl_semi_sync_source_enabled: 'ON',
  },
  status: { rpl_semi_sync_source_status: 'ON' },
  channels: [],
  transactions: [{ server: A, source: A, ranges: [['1', '90']] }],
  unapplied: '',
  logFilters: [],
  plugins: ['InnoDB'],
  namedZones: true,
  events: [],
  accounts: ['app@%'],
  grants: { 'app@%': 'x' },
  definers: [{ object: 'view bank.v', definer: 'app@%' }],
  triggers: [],
  otherEngines: [],
  keyless: [],
  keys: { 'bank.t': ['unique key (id)', 'index (v)'] },
  counters: [],
  prepared: 0,
};

const REPLICA: MysqlValues = {
  ...VALUES,
  variables: { ...VALUES.variables, server_id: '2', server_uuid: B, read_only: 'ON', super_read_only: 'ON' },
  channels: [CHANNEL],
};

function readingsOf(values: MysqlValues, unread: readonly (keyof MysqlValues)[]): MysqlFacts {
  const reading = <Name extends keyof MysqlValues>(name: Name): Reading<MysqlValues[Name]> =>
    unread.includes(name)
      ? { known: false, reason: 'it may not be read' }
      : { known: true, value: values[name] };
  return {
    variables: reading('variables'),
    status: reading('status'),
    channels: reading('channels'),
    transactions: reading('transactions'),
    unapplied: reading('unapplied'),
    logFilters: reading('logFilters'),
    plugins: reading('plugins'),
    namedZones: reading('namedZones'),
    events: reading('events'),
    accounts: reading('accounts'),
    grants: reading('grants'),
    definers: reading('definers'),
    triggers: reading('triggers'),
    otherEngines: reading('otherEngines'),
    keyless: reading('keyless'),
    keys: reading('keys'),
    counters: reading('counters'),
    prepared: reading('prepared'),
  };
}

interface Scene {
  readonly primary?: Partial<MysqlValues>;
  readonly candidate?: Partial<MysqlValues>;
  readonly unread?: readonly (keyof MysqlValues)[];
  readonly silent?: SiteName;
  readonly engine?: 'mysql' | 'mariadb';
}

function inputOf({
  primary = {},
  candidate = {},
  unread = [],
  silent,
  engine = 'mysql',
}: Scene): ReadinessInput {
  const facts = (base: ReadinessFacts, values: MysqlValues): ReadinessFacts => ({
    ...base,
    mysql: readingsOf(values, unread),
  });
  return {
    pair: 'logical',
    primary: {
      identity: { ...PRIMARY_IDENTITY, engine },
      facts: silent === 'primary' ? null : facts(PRIMARY_FACTS, { ...VALUES, ...primary }),
    },
    candidate: {
      identity: { ...SUBSCRIBER_IDENTITY, engine },
      facts: silent === 'candidate' ? null : facts(SUBSCRIBER_FACTS, { ...REPLICA, ...candidate }),
    },
  };
}

/** Results of this engine's own rules. */
function judged(scene: Scene): ReadinessResult[] {
  return judgeReadiness(inputOf(scene)).filter(({ code }) => code.startsWith('TP-R-MY-'));
}

function faults(scene: Scene): string[] {
  return judged(scene)
    .filter(({ state }) => state !== 'pass')
    .map(({ code, state }) => `${code} ${state}`);
}

const variables = (changed: Readonly<Record<string, string>>): Partial<MysqlValues> => ({
  variables: { ...REPLICA.variables, ...changed },
});

describe('readiness of a MySQL replica', () => {
  test('passes every rule when nothing is wrong, and each rule speaks', () => {
    expect(faults({})).toEqual([]);
    expect(new Set(judged({}).map(({ code }) => code))).toEqual(new Set(MYSQL_RULES.map(({ code }) => code)));
  });

  test.each<readonly [string, Scene, readonly string[]]>([
    [
      'a purged log',
      { candidate: { channels: [{ ...CHANNEL, receiveErrno: 1236 }] } },
      ['TP-R-MY-RECEIVER fail'],
    ],
    [
      'a source that is gone',
      { candidate: { channels: [{ ...CHANNEL, receiving: 'connecting', receiveErrno: 2003 }] } },
      [],
    ],
    [
      'a failing worker',
      { candidate: { channels: [{ ...CHANNEL, workers: ['worker 2, error 1062'] }] } },
      ['TP-R-MY-APPLIER fail'],
    ],
    [
      'skipped errors',
      { candidate: variables({ replica_skip_errors: '1062,1032' }) },
      ['TP-R-MY-LENIENT fail'],
    ],
    [
      'a log of its own that is filtered',
      { candidate: { logFilters: ['binlog_ignore_db=scratch'] } },
      ['TP-R-MY-OWN-LOG-FILTERS fail'],
    ],
    ['an older candidate', { candidate: variables({ version: '8.0.40' }) }, ['TP-R-MY-VERSION fail']],
    ['another patch level', { candidate: variables({ version: '8.4.7' }) }, []],
    ['names in capitals', { candidate: variables({ lower_case_table_names: '1' }) }, ['TP-R-MY-NAMES fail']],
    ['modes in another order', { candidate: variables({ sql_mode: 'STRICT_TRANS_TABLES,ANSI' }) }, []],
    ['a zone of the system', { candidate: variables({ time_zone: 'UTC' }) }, []],
    [
      'another system zone',
      { candidate: variables({ system_time_zone: 'KST' }) },
      ['TP-R-MY-TIME-ZONE fail'],
    ],
    ['no log', { candidate: variables({ log_bin: 'OFF' }) }, ['TP-R-MY-LOG fail']],
    ['a copied folder', { candidate: variables({ server_uuid: A }) }, ['TP-R-MY-SERVER-ID fail']],
    [
      'semi-synchronous replication that fell back',
      { primary: { status: { rpl_semi_sync_source_status: 'OFF' } } },
      ['TP-R-MY-SEMISYNC fail'],
    ],
    ['more room', { candidate: variables({ max_connections: '101' }) }, []],
    [
      'a scheduler that is shut off',
      { candidate: variables({ event_scheduler: 'DISABLED' }) },
      ['TP-R-MY-SCHEDULER fail'],
    ],
    [
      'a lost index of two equal ones',
      {
        primary: { keys: { 'bank.t': ['index (v)', 'index (v)'] } },
        candidate: { keys: { 'bank.t': ['index (v)'] } },
      },
      ['TP-R-MY-INDEXES fail'],
    ],
    [
      'an index more',
      { candidate: { keys: { 'bank.t': ['unique key (id)', 'index (v)', 'index (w)'] } } },
      [],
    ],
    [
      'a foreign key that changes rows on the replica alone',
      {
        primary: { keys: { 'bank.t': ['foreign key to p on update RESTRICT on delete RESTRICT'] } },
        candidate: { keys: { 'bank.t': ['foreign key to p on update RESTRICT on delete CASCADE'] } },
      },
      ['TP-R-MY-INDEXES fail', 'TP-R-MY-CASCADES fail'],
    ],
    [
      'a foreign key that changes rows on both',
      {
        primary: { keys: { 'bank.t': ['foreign key to p on update CASCADE on delete SET NULL'] } },
        candidate: { keys: { 'bank.t': ['foreign key to p on update CASCADE on delete SET NULL'] } },
      },
      [],
    ],
    [
      'definers without accounts to look at',
      { unread: ['accounts'] },
      ['TP-R-MY-DEFINERS unknown', 'TP-R-MY-ACCOUNTS unknown', 'TP-R-MY-ACCOUNTS unknown'],
    ],
    [
      'a replica of nobody',
      { candidate: { channels: [] } },
      [
        'TP-R-MY-RECEIVER unknown',
        'TP-R-MY-APPLIER unknown',
        'TP-R-MY-DELAY unknown',
        'TP-R-MY-FILTERS unknown',
      ],
    ],
  ])('is judged with %s', (_, scene, expected) => {
    expect(faults(scene)).toEqual(expected);
  });

  test('has no transactions of its own: what the primary wrote, or gets from others, may be on its way', () => {
    const executed = (server: string, last: number) => ({
      server,
      source: server,
      ranges: [['1', String(last)] as const],
    });
    const C = '5a33fa47-71ca-11e1-9e33-c80aa9429562';
    const scene = (...transactions: MysqlValues['transactions']): Scene => ({ candidate: { transactions } });
    expect(faults(scene(executed(A, 95)))).toEqual([]);
    expect(faults(scene(executed(A, 90), executed(B, 1)))).toEqual(['TP-R-MY-ERRANT fail']);
    expect(faults(scene(executed(A, 90), executed(C, 1)))).toEqual(['TP-R-MY-ERRANT fail']);
    const upstream = { channels: [CHANNEL] };
    expect(faults({ ...scene(executed(A, 90), executed(C, 1)), primary: upstream })).toEqual([]);
    expect(faults({ ...scene(executed(A, 90), executed(B, 1)), primary: upstream })).toEqual([
      'TP-R-MY-ERRANT fail',
    ]);
  });

  test('names exactly the transactions that the primary lacks', () => {
    const numbers = fc.uniqueArray(fc.integer({ min: 1, max: 30 }), { minLength: 1 });
    const rule = fc.property(numbers, numbers, (ours, theirs) => {
      const named = judged({
        primary: { transactions: [{ server: B, source: B, ranges: rangesOf(theirs) }] },
        candidate: { transactions: [{ server: B, source: B, ranges: rangesOf(ours) }] },
      }).find(({ code }) => code === 'TP-R-MY-ERRANT');
      const found = [...(named?.message ?? '').matchAll(/:(\d+)-(\d+)/g)].flatMap(([, from, to]) =>
        between(Number(from), Number(to)),
      );
      const lacking = ours.filter((number) => !theirs.includes(number)).sort((a, b) => a - b);
      expect(found).toEqual(lacking);
      expect(named?.state).toBe(lacking.length === 0 ? 'pass' : 'fail');
    });
    expect(() => fc.assert(rule)).not.toThrow();
  });

  test('of MariaDB names the last transaction alone: others of a domain have numbers in between', () => {
    const upTo = (source: string, last: string): MysqlValues['transactions'][number] => ({
      server: source.split('-')[1] ?? '',
      source,
      ranges: [['1', last]],
    });
    const found = (ours: MysqlValues['transactions'], theirs: MysqlValues['transactions']): unknown =>
      judged({
        engine: 'mariadb',
        primary: { transactions: theirs },
        candidate: { transactions: ours },
      }).find(({ code }) => code === 'TP-R-MY-ERRANT');
    const primary = upTo('0-1', '90');
    expect(found([primary, upTo('0-2', '91')], [primary])).toMatchObject({
      state: 'fail',
      message: expect.stringContaining(
        'that the primary lacks: 0-2-91, the last one of server_id 2; how many came before it is not told',
      ),
    });
    expect(found([primary, upTo('0-2', '91')], [primary, upTo('0-2', '50')])).toMatchObject({
      state: 'fail',
      message: expect.stringContaining(
        '0-2-91 (the primary has those up to 0-2-50), the last one of server_id 2',
      ),
    });
    expect(found([primary, upTo('0-2', '50')], [primary, upTo('0-2', '50')])).toMatchObject({
      state: 'pass',
    });
    expect(found([primary, upTo('0-2', '50')], [primary, upTo('0-2', '51')])).toMatchObject({
      state: 'pass',
    });
    expect(found([upTo('0-1', '90'), upTo('1-2', '5')], [upTo('0-1', '90'), upTo('0-2', '9')])).toMatchObject(
      {
        state: 'fail',
      },
    );
  });

  test.each(['primary', 'candidate'] as const)(
    'never passes a rule that needs a %s that is silent',
    (silent) => {
      const needs = new Set(
        MYSQL_RULES.filter(({ reads }) => reads.includes(silent)).map(({ code }) => code),
      );
      const results = judged({ silent }).filter(({ code }) => needs.has(code));
      expect(results.length).toBeGreaterThan(5);
      expect(results.filter(({ state }) => state === 'pass')).toEqual([]);
    },
  );

  test('never passes or fails a rule by a fact that was not read', () => {
    const names = Object.keys(VALUES).filter(isName);
    for (const name of names) {
      expect(judged({ unread: [name] }).some(({ state }) => state === 'unknown')).toBe(true);
      expect(judged({ unread: [name] }).filter(({ state }) => state === 'fail')).toEqual([]);
    }
    expect(judged({ unread: names }).filter(({ state }) => state !== 'unknown')).toEqual([]);
  });
});

function isName(name: string): name is keyof MysqlValues {
  return Object.hasOwn(VALUES, name);
}

function between(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}

function rangesOf(numbers: readonly number[]): [string, string][] {
  const ranges: [number, number][] = [];
  for (const number of [...numbers].sort((a, b) => a - b)) {
    const last = ranges.at(-1);
    if (last !== undefined && last[1] === number - 1) last[1] = number;
    else ranges.push([number, number]);
  }
  return ranges.map(([from, to]) => [String(from), String(to)]);
}
