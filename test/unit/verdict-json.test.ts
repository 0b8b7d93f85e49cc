import { describe, expect, it } from 'vitest';
import type { VerifyResult } from '../../src/compare/result.ts';
import { verdictJson } from '../../src/verdict/json.ts';
import { UNKNOWN_LOSS } from '../../src/verdict/loss.ts';
import { judge } from '../../src/verdict/verdict.ts';
import { integrityOf } from '../../src/verdict/verify-evidence.ts';
import { before, CRASH, ledger, NO_DIFFERENCES, NOW, SWITCHOVER, withCoverage } from './verdict-fixture.ts';

describe('verdictJson', () => {
  it('has the promised members, in the promised order', () => {
    const json = verdictJson(judge(SWITCHOVER));
    expect(Object.keys(json)).toEqual([
      'schema',
      'verdict',
      'mode',
      'integrity',
      'loss',
      'rpo',
      'coverage',
      'notProven',
      'reasons',
      'decidedAt',
      'expiresAt',
    ]);
    expect(json).toMatchObject({
      schema: 'twinproof.verdict/v1',
      verdict: 'SAFE',
      mode: 'switchover',
      integrity: 'same',
      loss: {
        kind: 'none',
        basis: 'head',
        transactions: '0',
        changes: '0',
        keys: '0',
        witnessedUntil: null,
        tail: null,
      },
      rpo: { objectiveMs: 30_000, boundMs: 0, atLeastMs: 0 },
      coverage: { tables: 2, compared: 2, excluded: [] },
      reasons: [],
      decidedAt: '2026-01-02T04:00:00.000Z',
      expiresAt: '2026-01-02T04:10:00.000Z',
    });
  });

  it('gives counts beyond 2^53 exactly, as text', () => {
    const lost = { inserts: 1n, updates: 2n ** 62n, deletes: 0n, truncates: 0n, keys: 3n };
    const loss = {
      ...CRASH.ledger?.loss,
      transactions: 2n ** 63n,
      tail: { bytes: 2n ** 60n, ms: 5 },
      tables: [{ table: 'public.orders', ...lost }],
      recoverableBytes: 2n ** 61n,
    };
    expect(verdictJson(judge({ ...CRASH, ledger: ledger(loss) })).loss).toEqual({
      kind: 'bounded',
      basis: 'ledger',
      transactions: '9223372036854775808',
      changes: '9',
      keys: '8',
      firstCommitAt: before(130_000).toISOString(),
      lastCommitAt: before(121_000).toISOString(),
      witnessedUntil: before(120_000).toISOString(),
      tail: { bytes: '1152921504606846976', ms: 5 },
      tables: [
        {
          table: 'public.orders',
          inserts: '1',
          updates: '4611686018427387904',
          deletes: '0',
          truncates: '0',
          keys: '3',
        },
      ],
      recoverableBytes: '2305843009213693952',
      shutDownAt: null,
    });
  });

  it('gives what is unknown as null, never as zero', () => {
    const { loss, rpo } = verdictJson(judge({ ...CRASH, ledger: ledger(UNKNOWN_LOSS) }));
    expect(loss.kind).toBe('unknown');
    expect(Object.values(loss).filter((value) => value !== null)).toEqual(['unknown']);
    expect([rpo.boundMs, rpo.atLeastMs]).toEqual([null, null]);
  });

  it('survives JSON and says by whom a table was left out', () => {
    const excluded = [{ table: 'public.cache', reason: 'r', decidedBy: 'configuration' as const }];
    const json = verdictJson(judge(withCoverage({ excluded, compared: 1 })));
    expect(JSON.parse(JSON.stringify(json))).toEqual(json);
    expect(json.coverage.excluded).toEqual(excluded);
    expect(json.notProven[0]).toMatchObject({ subject: 'public.cache', decidedBy: 'configuration' });
    expect(json.reasons[0]).toMatchObject({ code: 'TP-V-NOT-COMPARED', severity: 'warn', effect: 'unknown' });
  });
});

describe('integrityOf', () => {
  const result: VerifyResult = {
    outcome: 'same',
    pair: 'physical',
    startedAt: before(5000),
    finishedAt: before(1000),
    primary: { engine: 'postgres', identity: null, position: null, headBefore: null },
    candidate: { engine: 'postgres', identity: null, position: null },
    coverage: { tables: 1, compared: 1, excluded: [{ table: 'public.cache', reason: 'r' }] },
    tables: [
      {
        table: 'public.orders',
        outcome: 'same',
        encoding: 'pg-binary',
        method: 'block',
        rows: { primary: 1n, candidate: 1n },
        differences: NO_DIFFERENCES,
        samples: [],
        reasons: [],
      },
    ],
    reasons: [],
    resumed: null,
    bytesRead: 1n,
  };

  it('dates the proof by the beginning of the run and names who excluded', () => {
    const evidence = integrityOf(result, (table) =>
      table === 'public.cache' ? 'command line' : 'twinproof',
    );
    expect(evidence).toEqual({
      outcome: 'same',
      coverage: {
        tables: 1,
        compared: 1,
        excluded: [{ table: 'public.cache', reason: 'r', decidedBy: 'command line' }],
      },
      tables: [{ table: 'public.orders', outcome: 'same', differences: NO_DIFFERENCES, reasons: [] }],
      reasons: [],
      provenAt: before(5000),
      resumedSince: null,
    });
  });

  it.each([
    [before(9000), before(9000)],
    [NOW, before(5000)],
  ])('takes the older of the two runs where ranges were taken over', (provenSince, expected) => {
    const evidence = integrityOf(
      { ...result, resumed: { ranges: 1, rows: 1n, provenSince } },
      () => 'twinproof',
    );
    expect(evidence.provenAt).toEqual(expected);
    expect(evidence.resumedSince).toEqual(provenSince);
  });
});
