import { describe, expect, it } from 'vitest';
import type { Evidence } from '../../src/verdict/evidence.ts';
import { judge } from '../../src/verdict/verdict.ts';
import {
  type Case,
  CRASH,
  FAILOVER,
  ledger,
  outcomeOf,
  STILL,
  SWITCHOVER,
  withLoss,
} from './verdict-fixture.ts';

function head(changed: Partial<Evidence['head']>): Evidence {
  return { ...SWITCHOVER, head: { ...STILL, ...changed } };
}

describe('switchover without a ledger', () => {
  const cases: readonly Case[] = [
    ['not quiesced', head({ quiesced: false }), 'UNKNOWN', ['NOT-QUIESCED']],
    ['head moved', head({ moved: true }), 'UNKNOWN', ['HEAD-MOVED']],
    ['head unknown', head({ moved: null }), 'UNKNOWN', ['HEAD-MOVED']],
    ['a transaction is open', head({ quiet: false }), 'UNKNOWN', ['NOT-QUIET']],
    ['open transactions unknown', head({ quiet: null }), 'UNKNOWN', ['NOT-QUIET']],
    ['not applied', head({ applied: false }), 'UNKNOWN', ['NOT-APPLIED']],
    ['applied unknown', head({ applied: null }), 'UNKNOWN', ['NOT-APPLIED']],
    [
      'all of it',
      head({ quiesced: false, moved: true, quiet: false, applied: false }),
      'UNKNOWN',
      ['NOT-QUIESCED', 'HEAD-MOVED', 'NOT-QUIET', 'NOT-APPLIED'],
    ],
  ];
  it.each(cases)('%s', (_, evidence, verdict, codes) => {
    expect(outcomeOf(evidence)).toEqual([verdict, codes]);
    expect(judge(evidence).loss).toMatchObject({ kind: 'unknown', transactions: null });
  });
});

describe('switchover with a ledger', () => {
  const base: Evidence = { ...withLoss(FAILOVER, { basis: 'ledger' }), mode: 'switchover', fence: null };
  const at = (changed: Partial<Evidence['head']>): Evidence => ({
    ...base,
    head: { ...STILL, quiesced: false, ...changed },
  });
  const unknown = { ...ledger({ kind: 'unknown', basis: null }) };
  const cases: readonly Case[] = [
    ['nobody has to say that it is quiesced', at({}), 'SAFE', []],
    ['head moved', at({ moved: true }), 'UNKNOWN', ['HEAD-MOVED']],
    ['a transaction is open', at({ quiet: null }), 'UNKNOWN', ['NOT-QUIET']],
    ['not applied', at({ applied: false }), 'UNKNOWN', ['NOT-APPLIED']],
    ['not counted, for it moved', { ...at({ moved: true }), ledger: unknown }, 'UNKNOWN', ['HEAD-MOVED']],
    ['not counted, though it stood still', { ...at({}), ledger: unknown }, 'UNKNOWN', ['LOSS-UNKNOWN']],
  ];
  it.each(cases)('%s', (_, evidence, verdict, codes) => {
    expect(outcomeOf(evidence)).toEqual([verdict, codes]);
  });
});

describe('loss by the ledger', () => {
  const failoverNoLedger: Evidence = { ...FAILOVER, ledger: null };
  const cases: readonly Case[] = [
    ['no ledger', failoverNoLedger, 'UNKNOWN', ['NO-LEDGER']],
    ['no ledger, a still head claimed', { ...failoverNoLedger, head: STILL }, 'UNKNOWN', ['NO-LEDGER']],
    ['none, but only counted', withLoss(FAILOVER, { basis: 'ledger' }), 'UNKNOWN', ['LOSS-UNKNOWN']],
    [
      'none, by the head of a primary that is gone',
      withLoss(FAILOVER, { basis: 'head' }),
      'UNKNOWN',
      ['LOSS-UNKNOWN'],
    ],
    [
      'none, by a shutdown of before the fence',
      withLoss(FAILOVER, { shutDownAt: new Date((FAILOVER.fence?.at.getTime() ?? 0) - 1) }),
      'UNKNOWN',
      ['LOSS-UNKNOWN'],
    ],
    [
      'none, by a shutdown that nobody showed',
      withLoss(FAILOVER, { shutDownAt: null }),
      'UNKNOWN',
      ['LOSS-UNKNOWN'],
    ],
    [
      'bounded, though the primary was shut down in order before the fence',
      withLoss(CRASH, { shutDownAt: FAILOVER.fence?.at ?? null }),
      'SAFE_WITH_LOSS',
      ['LOSS-WITHIN-RPO', 'SHUT-DOWN'],
    ],
    ['none, without a basis', withLoss(FAILOVER, { basis: null }), 'UNKNOWN', ['LOSS-UNKNOWN']],
    ['none, but transactions counted', withLoss(FAILOVER, { transactions: 1n }), 'UNKNOWN', ['LOSS-UNKNOWN']],
    ['none, but changes not counted', withLoss(FAILOVER, { changes: null }), 'UNKNOWN', ['LOSS-UNKNOWN']],
    ['none, but keys counted', withLoss(FAILOVER, { keys: 1n }), 'UNKNOWN', ['LOSS-UNKNOWN']],
    ['beyond the objective', withLoss(CRASH, { boundMs: 30_001 }), 'NOT_SAFE', ['LOSS-BEYOND-RPO']],
    ['bounded by no number', withLoss(CRASH, { boundMs: Number.NaN }), 'UNKNOWN', ['LOSS-UNKNOWN']],
    ['bounded by less than nothing', withLoss(CRASH, { boundMs: -1 }), 'UNKNOWN', ['LOSS-UNKNOWN']],
    ['bounded by we know not what', withLoss(CRASH, { boundMs: null }), 'UNKNOWN', ['LOSS-UNKNOWN']],
    ['no objective', withLoss(CRASH, {}, { rpoMs: null }), 'UNKNOWN', ['NO-RPO']],
    [
      'an objective that is no number',
      withLoss(CRASH, {}, { rpoMs: Number.NaN }),
      'NOT_SAFE',
      ['LOSS-BEYOND-RPO'],
    ],
    ['unbounded', withLoss(CRASH, { kind: 'unbounded', boundMs: null }), 'UNKNOWN', ['LOSS-UNBOUNDED']],
    ['unknown', withLoss(CRASH, { kind: 'unknown' }), 'UNKNOWN', ['LOSS-UNKNOWN']],
    [
      'unbounded, and what is certain is too much already',
      withLoss(CRASH, { kind: 'unbounded', boundMs: null, atLeastMs: 30_001 }),
      'NOT_SAFE',
      ['LOSS-BEYOND-RPO'],
    ],
    [
      'unbounded, nothing certain',
      withLoss(CRASH, { kind: 'unbounded', atLeastMs: null }),
      'UNKNOWN',
      ['LOSS-UNBOUNDED'],
    ],
    [
      'a doubt',
      { ...FAILOVER, ledger: ledger({}, [], [{ code: 'TP-V-X', subject: 's', message: 'm', hint: 'h' }]) },
      'UNKNOWN',
      ['X'],
    ],
    ['a gap', { ...FAILOVER, ledger: ledger({}, ['0/10 to 0/20']) }, 'UNKNOWN', ['GAP']],
    ['tail at the limit', withLoss(FAILOVER, { tail: { bytes: 1n, ms: 60_000 } }), 'SAFE', []],
    ['tail too long', withLoss(FAILOVER, { tail: { bytes: 1n, ms: 60_001 } }), 'UNKNOWN', ['TAIL']],
    ['tail of unknown length', withLoss(FAILOVER, { tail: { bytes: 1n, ms: null } }), 'UNKNOWN', ['TAIL']],
    ['tail of negative length', withLoss(FAILOVER, { tail: { bytes: 1n, ms: -1 } }), 'UNKNOWN', ['TAIL']],
    ['tail unknown', withLoss(FAILOVER, { tail: null }), 'UNKNOWN', ['TAIL']],
    ['no tail allowed, none there', withLoss(FAILOVER, {}, { maxTailMs: null }), 'SAFE', []],
    [
      'no tail allowed, one there',
      withLoss(FAILOVER, { tail: { bytes: 1n, ms: 1 } }, { maxTailMs: null }),
      'UNKNOWN',
      ['TAIL'],
    ],
  ];
  it.each(cases)('%s', (_, evidence, verdict, codes) => {
    expect(outcomeOf(evidence)).toEqual([verdict, codes]);
  });

  it('a claim of none that is not carried is given as unknown', () => {
    expect(judge(withLoss(FAILOVER, { basis: 'ledger' })).loss).toMatchObject({
      kind: 'unknown',
      basis: null,
    });
    expect(judge(withLoss(CRASH, { boundMs: null })).loss.kind).toBe('unknown');
    expect(judge(CRASH).loss).toEqual(CRASH.ledger?.loss);
  });
});
