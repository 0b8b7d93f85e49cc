import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ReadinessFacts } from '../../src/connector/facts.ts';
import type { PairKind } from '../../src/connector/table.ts';
import { judgeReadiness } from '../../src/readiness/judge.ts';
import { notCheckedOn } from '../../src/readiness/not-checked.ts';
import { applies } from '../../src/readiness/rule.ts';
import { READINESS_RULES } from '../../src/readiness/rules.ts';
import { codesIn, readinessInput, SEQUENCE, SUBSCRIPTION, trouble } from './readiness-fixture.ts';

const PAIRS: readonly PairKind[] = ['physical', 'logical', 'cross-engine'];
const FACTS = [
  'inRecovery',
  'writable',
  'replayPaused',
  'systemId',
  'timeline',
  'unloggedTables',
  'sequences',
  'subscriptions',
] as const;

/** Which rules need which fact, of which site, on which pair: restated here, not taken from the code. */
const NEEDS: readonly (readonly [
  pairs: 'physical' | 'applied' | 'logical' | 'all',
  site: 'primary' | 'candidate',
  fact: (typeof FACTS)[number],
  codes: readonly string[],
])[] = [
  ['physical', 'candidate', 'inRecovery', ['TP-R-RECOVERY']],
  ['physical', 'primary', 'inRecovery', ['TP-R-PRIMARY-ROLE']],
  ['physical', 'candidate', 'replayPaused', ['TP-R-REPLAY-PAUSED']],
  ['physical', 'candidate', 'writable', ['TP-R-SECOND-WRITER']],
  ['applied', 'candidate', 'writable', ['TP-R-WRITABLE-SUBSCRIBER']],
  ['physical', 'primary', 'systemId', ['TP-R-SYSTEM-ID', 'TP-R-STABLE-PRIMARY']],
  ['physical', 'candidate', 'systemId', ['TP-R-SYSTEM-ID', 'TP-R-STABLE-IDENTITY']],
  ['applied', 'primary', 'systemId', ['TP-R-STABLE-PRIMARY']],
  ['applied', 'candidate', 'systemId', ['TP-R-STABLE-IDENTITY']],
  ['physical', 'primary', 'timeline', ['TP-R-TIMELINE']],
  ['physical', 'candidate', 'timeline', ['TP-R-TIMELINE']],
  ['all', 'candidate', 'unloggedTables', ['TP-R-UNLOGGED']],
  ['applied', 'candidate', 'sequences', ['TP-R-SEQUENCE-DATA']],
  ['logical', 'candidate', 'sequences', ['TP-R-SEQUENCE-PRIMARY']],
  ['logical', 'primary', 'sequences', ['TP-R-SEQUENCE-PRIMARY']],
  [
    'logical',
    'candidate',
    'subscriptions',
    ['NONE', 'DISABLED', 'WORKER', 'ERRORS', 'RETRIED', 'SKIP', 'TABLES'].map(
      (name) => `TP-R-SUBSCRIPTION-${name}`,
    ),
  ],
];

function needing(pair: PairKind, site: 'primary' | 'candidate', fact: string): readonly string[] {
  const applied = pair !== 'physical';
  return NEEDS.filter(
    ([pairs, of, name]) =>
      of === site && name === fact && (pairs === 'all' || pairs === pair || (pairs === 'applied' && applied)),
  ).flatMap(([, , , codes]) => codes);
}

function isOwn(code: string): boolean {
  return code.startsWith('TP-R-PG-');
}

describe('rules', () => {
  it('have distinct codes, and say why and what to do', () => {
    const codes = READINESS_RULES.map((rule) => rule.code);
    expect(new Set(codes).size).toBe(codes.length);
    for (const rule of READINESS_RULES) {
      expect(rule.code).toMatch(/^TP-R-[A-Z-]+$/);
      expect(rule.why).not.toBe('');
      expect(rule.hint).not.toBe('');
      expect(rule.title).not.toBe('');
      expect(rule.reads).not.toEqual([]);
      for (const url of rule.docs) expect(url).toMatch(/^https:\/\//);
    }
  });

  it.each(PAIRS)('all pass on a sound %s pair, each with a result', (pair) => {
    const input = readinessInput(pair);
    expect(trouble(input)).toEqual([]);
    const expected = READINESS_RULES.filter((rule) => applies(rule, pair, 'postgres')).map(
      (rule) => rule.code,
    );
    expect(codesIn('pass', input)).toEqual([...expected].sort());
  });

  it('never ask of a standby what only applied rows need, nor the other way round', () => {
    expect(
      codesIn('pass', readinessInput('physical')).filter((code) => /SUBSCR|SEQUENCE|PUBLI/.test(code)),
    ).toEqual([]);
    expect(
      codesIn('pass', readinessInput('logical')).filter((code) => /RECOVERY|TIMELINE|SYSTEM/.test(code)),
    ).toEqual([]);
  });
});

describe('unknown facts', () => {
  for (const pair of PAIRS) {
    for (const site of ['primary', 'candidate'] as const) {
      it.each(FACTS)(
        `${pair}, ${site}: %s that is null or unread makes exactly its rules unknown`,
        (fact) => {
          const expected = [...needing(pair, site, fact)].sort();
          expect(codesIn('unknown', readinessInput(pair, { [site]: { [fact]: null } }))).toEqual(expected);
          const unread = readinessInput(pair, { [site]: { unread: [{ fact, reason: 'no grant' }] } });
          expect(codesIn('unknown', unread)).toEqual(expected);
          expect(codesIn('fail', unread)).toEqual([]);
        },
      );
    }
  }

  it('a part of a list that was not read makes the list unknown', () => {
    const unread = [{ fact: 'subscriptions.dr', reason: 'permission denied for subscription dr' }];
    const results = judgeReadiness(readinessInput('logical', { candidate: { unread } }));
    const hit = results.filter((result) => result.state === 'unknown');
    expect(hit.map((result) => result.code)).toEqual(needing('logical', 'candidate', 'subscriptions'));
    expect(hit[0]?.message).toContain('permission denied for subscription dr');
    expect(hit[0]?.hint).toContain('preflight');
  });

  it.each(['somethingNew', 'unread', 'toString', '', '.x'])(
    'an unread fact that no rule knows (%j) is unknown too',
    (fact) => {
      const input = readinessInput('physical', { primary: { unread: [{ fact, reason: 'r' }] } });
      expect(trouble(input)).toEqual(['TP-R-UNREAD unknown primary']);
    },
  );

  it('a site that did not answer makes every rule that needs it unknown, and passes none of them', () => {
    for (const pair of PAIRS) {
      const sound = readinessInput(pair);
      for (const site of ['primary', 'candidate'] as const) {
        const input = { ...sound, [site]: { facts: null, identity: null, engine: 'postgres' } };
        const expected = new Set(FACTS.flatMap((fact) => needing(pair, site, fact)));
        const own = READINESS_RULES.filter((rule) => isOwn(rule.code) && applies(rule, pair, 'postgres'));
        const lost = own.filter((rule) => rule.reads.includes(site)).map((rule) => rule.code);
        expect(codesIn('unknown', input)).toEqual([...expected, ...lost].sort());
        expect(codesIn('fail', input)).toEqual([]);
      }
    }
  });

  it('a site without identity is not known to be one server throughout', () => {
    const sound = readinessInput('physical');
    const input = { ...sound, candidate: { ...sound.candidate, identity: null } };
    expect(trouble(input)).toEqual(['TP-R-STABLE-IDENTITY unknown candidate']);
  });
});

describe('sites', () => {
  const cases: readonly (readonly [
    string,
    PairKind,
    Parameters<typeof readinessInput>[1],
    readonly string[],
  ])[] = [
    ['promoted already', 'physical', { candidate: { inRecovery: false } }, ['TP-R-RECOVERY fail candidate']],
    [
      'compared with a standby',
      'physical',
      { primary: { inRecovery: true } },
      ['TP-R-PRIMARY-ROLE fail primary'],
    ],
    [
      'replay paused',
      'physical',
      { candidate: { replayPaused: true } },
      ['TP-R-REPLAY-PAUSED fail candidate'],
    ],
    ['second writer', 'physical', { candidate: { writable: true } }, ['TP-R-SECOND-WRITER fail candidate']],
    [
      'second writer by its identity, facts unknown',
      'physical',
      { candidate: { writable: null }, candidateIdentity: { writable: true } },
      ['TP-R-SECOND-WRITER fail candidate'],
    ],
    [
      'other cluster',
      'physical',
      { candidate: { systemId: '9' }, candidateIdentity: { systemId: '9' } },
      ['TP-R-SYSTEM-ID fail candidate'],
    ],
    ['other timeline', 'physical', { candidate: { timeline: '2' } }, ['TP-R-TIMELINE fail candidate']],
    [
      'another server answered',
      'logical',
      { candidate: { systemId: '9' } },
      ['TP-R-STABLE-IDENTITY fail candidate'],
    ],
    [
      'read-only subscriber',
      'logical',
      { candidate: { writable: false } },
      ['TP-R-WRITABLE-SUBSCRIBER fail candidate'],
    ],
    [
      'unlogged tables, by name',
      'physical',
      { candidate: { unloggedTables: ['public.a', 'public.b'] } },
      ['TP-R-UNLOGGED fail public.a', 'TP-R-UNLOGGED fail public.b'],
    ],
  ];
  it.each(cases)('%s', (_, pair, changed, expected) => {
    expect(trouble(readinessInput(pair, changed))).toEqual(expected);
  });

  it('a writable subscriber is normal, and said', () => {
    const result = judgeReadiness(readinessInput('logical')).find(
      (one) => one.code === 'TP-R-WRITABLE-SUBSCRIBER',
    );
    expect(result).toMatchObject({
      state: 'pass',
      severity: { switchover: 'info', failover: 'info' },
    });
    expect(result?.message).toContain('takes writes');
  });

  it('says what was seen, why it matters and what to do', () => {
    const result = judgeReadiness(readinessInput('physical', { candidate: { replayPaused: true } })).find(
      (one) => one.state === 'fail',
    );
    expect(result?.message).toMatch(/^replay is paused: log that arrives is not applied/);
    expect(result?.hint).toContain('pg_wal_replay_resume');
    expect(result?.severity).toEqual({ switchover: 'block', failover: 'block' });
  });
});

function notChecked(pair: PairKind, digest: 'xxh64' | 'sha256'): readonly string[] {
  return notCheckedOn(pair, digest).map((entry) => entry.code);
}

describe('not checked', () => {
  it('names what promotions rely on, for every pair', () => {
    for (const pair of PAIRS) {
      const codes = notCheckedOn(pair, 'sha256').map((entry) => entry.code);
      for (const code of ['INDEXES', 'ROLES', 'CONFIGURATION', 'OTHER-DATABASES', 'AFTERWARDS']) {
        expect(codes).toContain(`TP-N-${code}`);
      }
      expect(new Set(codes).size).toBe(codes.length);
    }
  });

  it('says that xxh64 does not resist forgery, and local writes only where they can happen', () => {
    // Where a rule counts them.
    expect(notChecked('logical', 'xxh64')).not.toContain('TP-N-LARGE-OBJECTS');
    expect(notChecked('physical', 'xxh64')).toContain('TP-N-LARGE-OBJECTS');
    const [indexes] = notCheckedOn('logical', 'xxh64', 'mariadb');
    expect(indexes?.message).toContain('CHECK TABLE');
    expect(notChecked('physical', 'xxh64')).toContain('TP-N-FORGERY');
    expect(notChecked('physical', 'sha256')).not.toContain('TP-N-FORGERY');
    expect(notChecked('logical', 'sha256')).toContain('TP-N-LOCAL-WRITES');
    expect(notChecked('physical', 'sha256')).not.toContain('TP-N-LOCAL-WRITES');
  });
});

it('hiding a fact never turns a failure into a pass (property)', () => {
  const changes: readonly Partial<ReadinessFacts>[] = [
    { inRecovery: false },
    { replayPaused: true },
    { writable: true },
    { systemId: '9' },
    { timeline: '9' },
    { unloggedTables: ['public.u'] },
    { subscriptions: [] },
    {
      subscriptions: [
        { ...SUBSCRIPTION, enabled: false, workerRunning: false, skip: 'the transaction at 0/1' },
      ],
    },
    { sequences: [{ ...SEQUENCE, lastValue: 0n }] },
  ];
  const sites = ['primary', 'candidate'] as const;
  const checks = fc.property(
    fc.constantFrom(...PAIRS),
    fc.constantFrom(...changes),
    fc.constantFrom(...sites),
    fc.constantFrom(...FACTS),
    (pair, candidate, site, fact) => {
      const before = judgeReadiness(readinessInput(pair, { candidate }));
      const hidden = {
        primary: {},
        candidate,
        [site]: { ...(site === 'candidate' ? candidate : {}), [fact]: null },
      };
      const after = judgeReadiness(readinessInput(pair, hidden));
      const passed = new Set(
        after.filter((one) => one.state === 'pass').map((one) => one.code + one.subject),
      );
      const failed = before.filter((one) => one.state === 'fail').map((one) => one.code + one.subject);
      expect(failed.filter((name) => passed.has(name))).toEqual([]);
    },
  );
  fc.assert(checks);
});
