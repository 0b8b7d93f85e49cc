import { describe, expect, it } from 'vitest';
import { judgeForks } from '../../src/commands/certify-promoted.ts';
import type { Position } from '../../src/connector/position.ts';
import { downSince, type ShutDownFacts } from '../../src/verdict/clean-shutdown.ts';
import { ledgerDoubts, type LedgerStanding } from '../../src/verdict/ledger-doubts.ts';
import {
  integrityByLedger,
  type LedgerIntegrity,
  type LedgerTable,
} from '../../src/verdict/ledger-integrity.ts';
import { type CountedLoss, lossByLedger, type LossFacts } from '../../src/verdict/ledger-loss.ts';
import { rankCandidates } from '../../src/verdict/ranking.ts';
import { judge, type Verdict } from '../../src/verdict/verdict.ts';
import { comparePlaces, place } from './ledger-fixture.ts';
import { before, CRASH, FAILOVER, ledger, withLoss } from './verdict-fixture.ts';

const NONE: CountedLoss = {
  transactions: 0n,
  changes: 0n,
  keys: 0n,
  tables: [],
  firstCommitAt: null,
  lastCommitAt: null,
};
const SOME: CountedLoss = {
  ...NONE,
  transactions: 3n,
  changes: 5n,
  keys: 4n,
  firstCommitAt: before(9000),
  lastCommitAt: before(6000),
};
const FACTS: LossFacts = {
  mode: 'failover',
  counted: SOME,
  gaps: false,
  ahead: null,
  newestCommitAt: before(6000),
  appliedCommitAt: before(9500),
  witnessedUntil: before(5000),
  recoverableBytes: 0n,
  fence: { at: before(2000), by: 'power cut' },
  shutDownAt: null,
  atHead: false,
};

function loss(changed: Partial<LossFacts>): ReturnType<typeof lossByLedger> {
  return lossByLedger({ ...FACTS, ...changed });
}

describe('loss by the ledger', () => {
  it('reaches from the first lost commit to the fence, and is at least what is counted', () => {
    expect(loss({})).toMatchObject({
      kind: 'bounded',
      basis: 'ledger',
      transactions: 3n,
      boundMs: 7000,
      atLeastMs: 3000,
      witnessedUntil: before(5000),
      tail: { bytes: 0n, ms: 0 },
    });
  });

  it('of nothing that was seen is bounded by what came after the witness', () => {
    expect(loss({ counted: NONE })).toMatchObject({
      kind: 'bounded',
      transactions: 0n,
      boundMs: 3000,
      atLeastMs: 0,
    });
  });

  it('of nothing is bounded by what the candidate has beyond the ledger, where it has more', () => {
    const ahead = { bytes: 100n, unordered: false };
    const facts = { counted: NONE, ahead, appliedCommitAt: before(2500) };
    expect(loss(facts)).toMatchObject({ boundMs: 500, tail: { bytes: 100n, ms: 2500 } });
    // Log without commits behind the witness.
    expect(loss({ ...facts, appliedCommitAt: before(8000) })).toMatchObject({
      boundMs: 3000,
      tail: { bytes: 100n, ms: 0 },
    });
    expect(loss({ ...facts, appliedCommitAt: null }).tail).toEqual({ bytes: 100n, ms: null });
    // What it applied last need not be the newest that it has.
    expect(loss({ ...facts, ahead: { bytes: null, unordered: true } })).toMatchObject({
      boundMs: 3000,
      tail: { bytes: null, ms: null },
    });
  });

  it.each([
    ['no fence', { fence: null }, 'unbounded'],
    ['nothing counted and no witness', { counted: NONE, witnessedUntil: null }, 'unbounded'],
    ['a gap', { gaps: true }, 'unknown'],
    ['not to be counted', { counted: null }, 'unknown'],
  ] as const)('has no bound: %s', (_, changed, kind) => {
    expect(loss(changed)).toMatchObject({ kind, boundMs: null });
  });

  it('is none exactly where the primary was shut down in order no earlier than the fence, and nothing is counted', () => {
    const ended = { counted: NONE, shutDownAt: before(2000) };
    expect(loss(ended)).toMatchObject({ kind: 'none', basis: 'clean-shutdown', boundMs: 0, atLeastMs: 0 });
    expect(loss({ ...ended, fence: { at: before(1500), by: 'x' } })).toMatchObject({
      kind: 'bounded',
      boundMs: 500,
    });
    expect(loss({ ...ended, fence: null }).kind).toBe('unbounded');
    expect(loss({ ...ended, counted: SOME })).toMatchObject({ kind: 'bounded', transactions: 3n });
    expect(loss({ ...ended, gaps: true }).kind).toBe('unknown');
    expect(loss({ ...ended, counted: null }).kind).toBe('unknown');
  });

  it('is none while the primary lives only where all stood at its head', () => {
    const planned = { mode: 'switchover', counted: NONE, atHead: true } as const;
    expect(loss(planned)).toMatchObject({ kind: 'none', basis: 'ledger', transactions: 0n, boundMs: 0 });
    expect(loss({ ...planned, atHead: false })).toMatchObject({ kind: 'unknown', transactions: null });
    expect(loss({ ...planned, counted: SOME })).toMatchObject({ kind: 'unknown', transactions: null });
    expect(loss({ ...planned, gaps: true }).kind).toBe('unknown');
    expect(loss({ ...planned, ahead: { bytes: 40n, unordered: false }, appliedCommitAt: null }).tail).toEqual(
      {
        bytes: 40n,
        ms: 0,
      },
    );
  });
});

describe('a shutdown of the primary in order', () => {
  const FACTS_OF_SHUTDOWN: ShutDownFacts = {
    record: { begin: place(50), timeUs: BigInt(before(5000).getTime()) * 1000n },
    applied: place(52),
    ledgerEnd: place(50),
    signs: [{ position: place(50), at: before(5400) }],
    commits: [before(6000), null],
    compare: comparePlaces,
  };
  const since = (changed: Partial<ShutDownFacts>): Date | null =>
    downSince({ ...FACTS_OF_SHUTDOWN, ...changed });

  it('is as late as the record says, or as the primary was seen before it', () => {
    expect(since({})).toEqual(before(5000));
    expect(since({ ledgerEnd: place(52) })).toEqual(before(5000));
    // The record has whole seconds.
    expect(since({ signs: [{ position: place(49), at: before(4800) }] })).toEqual(before(4800));
    expect(since({ commits: [before(4700), before(4900)] })).toEqual(before(4700));
  });

  it.each([
    ['no such record', { record: null }],
    ['a connector that cannot tell', { record: undefined }],
    ['a candidate without a place', { applied: null }],
    ['a ledger without a place', { ledgerEnd: null }],
    ['a ledger that has more', { ledgerEnd: place(53) }],
    ['a primary that was seen behind its shutdown', { signs: [{ position: place(51), at: before(5400) }] }],
    ['places of other histories', { compare: () => 'incomparable' }],
  ] as const)('is not shown by %s', (_, changed) => {
    expect(since(changed)).toBeNull();
  });
});

const STANDING: LedgerStanding = {
  mode: 'failover',
  unreachable: null,
  stranger: null,
  incarnation: 'same',
  wentBack: false,
  unguarded: false,
  strays: false,
  unplaced: null,
  feed: { role: 'primary', heldBackBy: '' },
  definitionsKnownUntil: before(10_000),
  seenUntil: before(5000),
  redefined: [],
  primaryAnswers: null,
  behindHead: false,
};

describe('doubts about a ledger and a candidate', () => {
  it('are none when all is in order', () => {
    expect(ledgerDoubts(STANDING)).toEqual([]);
  });

  it.each([
    ['UNREACHABLE', { unreachable: 'connection refused' }],
    ['LINEAGE', { stranger: 'it was promoted' }],
    ['UNBOUND', { incarnation: 'unbound' }],
    ['INCARNATION', { incarnation: 'other' }],
    ['WENT-BACK', { wentBack: true }],
    ['LOCAL-WRITES', { unguarded: true }],
    ['LINEAGE', { strays: true }],
    ['POSITION', { unplaced: 'no position' }],
    ['LINEAGE', { unplaced: 'another history' }],
    ['WINDOW', { unplaced: 'before the window' }],
    ['FED-BY-CANDIDATE', { feed: { role: 'standby', heldBackBy: '' } }],
    ['FED-BY-CANDIDATE', { feed: { role: 'primary', heldBackBy: 'gasan' } }],
    ['FED-BY-CANDIDATE', { feed: null }],
    ['DEFINITIONS', { definitionsKnownUntil: null }],
    ['DEFINITIONS', { definitionsKnownUntil: before(65_001) }],
    ['DEFINITIONS', { seenUntil: null }],
    ['DEFINITIONS', { redefined: ['public.account'] }],
    ['PRIMARY-ANSWERS', { primaryAnswers: 'it answers' }],
    ['LEDGER-BEHIND', { behindHead: true }],
  ] as const)('%s for %o', (code, changed) => {
    const doubts = ledgerDoubts({ ...STANDING, ...changed });
    expect(doubts.map((doubt) => doubt.code)).toEqual([`TP-V-${code}`]);
    const verdict = judge({ ...FAILOVER, ledger: ledger({}, [], doubts) });
    expect(verdict.verdict).toBe('UNKNOWN');
  });

  it('say nothing of a primary that answers when it is to be switched over', () => {
    expect(ledgerDoubts({ ...STANDING, mode: 'switchover', primaryAnswers: 'it answers' })).toEqual([]);
  });
});

const PROVEN: LedgerTable = {
  table: 'public.orders',
  problems: [],
  unfollowed: null,
  obstacle: null,
  oldestProofAt: before(60_000),
  read: 10n,
  differences: { missing: 0n, extra: 0n, changed: 0n },
  unknown: {},
  samples: [],
};

function integrity(table: Partial<LedgerTable>, changed: Partial<LedgerIntegrity> = {}): Verdict {
  const tables = [PROVEN, { ...PROVEN, table: 'public.items', ...table }];
  return judge({
    ...CRASH,
    integrity: integrityByLedger({ tables, excluded: [], proofsHold: true, ...changed }),
  });
}

describe('integrity by the ledger', () => {
  it('is same when everything was proven and nothing dirty differs', () => {
    expect(integrity({})).toMatchObject({ verdict: 'SAFE_WITH_LOSS', integrity: 'same' });
  });

  it.each([
    ['no table', 'NOT-IN-LEDGER'],
    ['no key', 'NO-KEY'],
    ['gap', 'GAP'],
    ['not read', 'NO-BASELINE'],
    ['never compared', 'NOT-COMPARED-YET'],
    ['redefined', 'REDEFINED'],
  ] as const)('is unproven, by name, for a table of which is said: %s', (problem, code) => {
    const judged = integrity({ problems: [problem] });
    expect(judged).toMatchObject({ verdict: 'UNKNOWN', integrity: 'unproven' });
    expect(judged.reasons).toContainEqual(
      expect.objectContaining({ code: `TP-V-${code}`, subject: 'public.items', effect: 'unknown' }),
    );
  });

  it.each(['no position', 'another history', 'before the window', 'not known', 'beyond'] as const)(
    'is unproven where a dirty row could not be judged: %s',
    (why) => {
      expect(integrity({ unknown: { [why]: 1n } })).toMatchObject({
        verdict: 'UNKNOWN',
        integrity: 'unproven',
      });
    },
  );

  it('leaves rows of the unwitnessed tail to the limit for the tail', () => {
    const judged = integrity({ unknown: { tail: 7n } });
    expect(judged).toMatchObject({ verdict: 'SAFE_WITH_LOSS', integrity: 'same' });
    expect(judged.reasons.map(({ code }) => code)).toContain('TP-V-TAIL-ROWS');
    const long = withLoss({ ...CRASH }, { tail: { bytes: 9n, ms: 70_000 } });
    expect(judge(long).verdict).toBe('UNKNOWN');
  });

  it('is unproven for one reason where the log does not bring the changes of a table, whatever comes of that', () => {
    const judged = integrity({
      unfollowed: 'it is not in publication twinproof',
      oldestProofAt: null,
      problems: ['no table', 'never compared'],
      obstacle: 'the candidate does not have this table',
      unknown: { 'not known': 3n },
    });
    expect(judged).toMatchObject({ verdict: 'UNKNOWN', integrity: 'unproven' });
    const reasons = judged.reasons.filter(({ effect }) => effect === 'unknown');
    expect(reasons).toEqual([
      expect.objectContaining({
        code: 'TP-V-CANNOT-COMPARE',
        effect: 'unknown',
        message: 'it is not in publication twinproof',
      }),
    ]);
  });

  it('is unproven for one reason where rows of a table cannot be read, and for another that has nothing to do with it', () => {
    const codes = (table: Partial<LedgerTable>): string[] =>
      integrity(table)
        .reasons.filter(({ subject }) => subject === 'public.items')
        .map(({ code }) => code);
    const unreadable = { obstacle: 'the candidate does not have this table', unknown: { 'not known': 3n } };
    expect(codes({ ...unreadable, problems: ['never compared'] })).toEqual(['TP-V-CANNOT-COMPARE']);
    expect(codes({ ...unreadable, problems: ['gap'] })).toEqual(['TP-V-GAP', 'TP-V-CANNOT-COMPARE']);
  });

  it('is different with one row that differs in a table that is not followed any more', () => {
    const judged = integrity({
      unfollowed: 'it is not in publication twinproof',
      differences: { missing: 0n, extra: 0n, changed: 1n },
    });
    expect(judged).toMatchObject({ verdict: 'NOT_SAFE', integrity: 'different' });
  });

  it('is different with one row that differs, whatever else is not known, and names it', () => {
    const judged = integrity({
      differences: { missing: 0n, extra: 0n, changed: 1n },
      samples: ['id=5'],
      problems: ['never compared'],
    });
    expect(judged).toMatchObject({ verdict: 'NOT_SAFE', integrity: 'different' });
    expect(judged.reasons[0]?.message).toContain('id=5');
  });

  it('is unproven where the proofs are not of this candidate, and by obstacle, age and emptiness', () => {
    expect(integrity({}, { proofsHold: false })).toMatchObject({
      verdict: 'UNKNOWN',
      integrity: 'unproven',
    });
    expect(integrity({ obstacle: 'it has no form' }).verdict).toBe('UNKNOWN');
    expect(integrity({ oldestProofAt: null }).verdict).toBe('UNKNOWN');
    expect(integrity({ oldestProofAt: before(3_600_001) }).verdict).toBe('UNKNOWN');
    expect(integrity({}, { tables: [] }).verdict).toBe('UNKNOWN');
  });
});

describe('several candidates', () => {
  const safe = judge(FAILOVER);
  const crash = judge(CRASH);
  const unknown = judge({ ...CRASH, fence: null });
  const broken = integrity({ differences: { missing: 1n, extra: 0n, changed: 0n } });

  it('are ranked by what may be done with them, then by what is proven, then by what is lost', () => {
    const more = judge(withLoss(CRASH, { transactions: 8n }));
    const named = { e: broken, d: unknown, c: more, b: crash, a: safe };
    const ranking = rankCandidates(Object.entries(named).map(([name, verdict]) => ({ name, verdict })));
    expect(ranking.candidates.map(({ name }) => name)).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(ranking.why).toBe('it is SAFE, and b is SAFE_WITH_LOSS');
    const two = rankCandidates([
      { name: 'c', verdict: more },
      { name: 'b', verdict: crash },
    ]);
    expect(two.why).toBe('it lacks 7 of the known transactions, c 8');
  });

  it('of which nothing tells one from another keep an order, and a single one needs no reason', () => {
    const same = rankCandidates([
      { name: 'b', verdict: crash },
      { name: 'a', verdict: crash },
    ]);
    expect(same).toMatchObject({ why: 'nothing tells it from b' });
    expect(rankCandidates([{ name: 'a', verdict: crash }]).why).toBe('');
  });

  it('of which the loss of one is not known rank that one behind', () => {
    const counted = judge({ ...withLoss(CRASH, { transactions: 90n }), fence: null });
    const uncounted = judge({ ...withLoss(CRASH, { transactions: null }), fence: null });
    const ranking = rankCandidates([
      { name: 'a', verdict: uncounted },
      { name: 'b', verdict: counted },
    ]);
    expect(ranking.candidates[0]?.name).toBe('b');
    expect(ranking.why).toBe('it lacks 90 of the known transactions, a an unknown number');
  });
});

describe('after a promotion', () => {
  const certified = place(50);
  const judged = (forks: readonly Position[], role: 'primary' | 'standby' = 'primary'): string =>
    judgeForks(certified, forks, role, comparePlaces);

  it('a server is the certified one exactly if it left the old timeline at the certified position', () => {
    expect(judged([place(50)])).toBe('certified');
    expect(judged([place(51)])).toBe('later');
    expect(judged([place(49)])).toBe('other');
    expect(judged([])).toBe('other');
    expect(judged([], 'standby')).toBe('not promoted');
    expect(judged([place(50)], 'standby')).toBe('not promoted');
    const elsewhere = judgeForks(certified, [place(9)], 'primary', () => 'incomparable');
    expect(elsewhere).toBe('other');
  });
});
