import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SequenceFact, SubscriptionFact } from '../../src/connector/facts.ts';
import { judgeReadiness } from '../../src/readiness/judge.ts';
import { codesIn, readinessInput, SEQUENCE, SUBSCRIPTION, trouble } from './readiness-fixture.ts';

describe('subscriptions', () => {
  const cases: readonly (readonly [string, Partial<SubscriptionFact>, readonly string[]])[] = [
    ['disabled', { enabled: false }, ['TP-R-SUBSCRIPTION-DISABLED fail dr']],
    ['worker down', { workerRunning: false }, ['TP-R-SUBSCRIPTION-WORKER fail dr']],
    ['worker unknown, no errors', { workerRunning: null }, ['TP-R-SUBSCRIPTION-WORKER unknown dr']],
    [
      'worker down after errors',
      { workerRunning: false, applyErrors: 3n },
      [
        'TP-R-SUBSCRIPTION-WORKER fail dr',
        'TP-R-SUBSCRIPTION-ERRORS fail dr',
        'TP-R-SUBSCRIPTION-RETRIED fail dr',
      ],
    ],
    [
      'worker down, errors not counted',
      { workerRunning: false, applyErrors: null },
      [
        'TP-R-SUBSCRIPTION-WORKER fail dr',
        'TP-R-SUBSCRIPTION-ERRORS unknown dr',
        'TP-R-SUBSCRIPTION-RETRIED unknown dr',
      ],
    ],
    [
      'worker unknown after errors',
      { workerRunning: null, applyErrors: 3n },
      [
        'TP-R-SUBSCRIPTION-WORKER unknown dr',
        'TP-R-SUBSCRIPTION-ERRORS unknown dr',
        'TP-R-SUBSCRIPTION-RETRIED fail dr',
      ],
    ],
    ['errors got past', { applyErrors: 3n }, ['TP-R-SUBSCRIPTION-RETRIED fail dr']],
    ['errors not counted, worker up', { applyErrors: null }, ['TP-R-SUBSCRIPTION-RETRIED unknown dr']],
    ['skip set', { skip: 'the transaction at 0/16B3748' }, ['TP-R-SUBSCRIPTION-SKIP fail dr']],
    ['skip unknown', { skip: null }, ['TP-R-SUBSCRIPTION-SKIP unknown dr']],
    [
      'tables not ready',
      { tablesNotReady: ['public.a', 'public.b'] },
      ['TP-R-SUBSCRIPTION-TABLES fail public.a', 'TP-R-SUBSCRIPTION-TABLES fail public.b'],
    ],
  ];
  it.each(cases)('%s', (_, changed, expected) => {
    const other = { ...SUBSCRIPTION, name: 'other' };
    const subscriptions = [other, { ...SUBSCRIPTION, ...changed }];
    expect(trouble(readinessInput('logical', { candidate: { subscriptions } }))).toEqual(expected);
    // What feeds a site of another engine is none of its subscriptions.
    expect(trouble(readinessInput('cross-engine', { candidate: { subscriptions } }))).toEqual([]);
  });

  it('none at all fails once, and no rule about subscriptions passes', () => {
    const input = readinessInput('logical', { candidate: { subscriptions: [] } });
    expect(codesIn('fail', input)).toEqual(['TP-R-SUBSCRIPTION-NONE']);
    expect(codesIn('pass', input).filter((code) => code.startsWith('TP-R-SUBSCRIPTION'))).toEqual([]);
  });

  it('past errors of a running worker only warn', () => {
    const subscriptions = [{ ...SUBSCRIPTION, applyErrors: 1n }];
    const result = judgeReadiness(readinessInput('logical', { candidate: { subscriptions } })).find(
      (one) => one.state === 'fail',
    );
    expect(result?.severity).toEqual({ switchover: 'warn', failover: 'warn' });
  });
});

describe('sequences', () => {
  const cases: readonly (readonly [
    string,
    Partial<SequenceFact>,
    Partial<SequenceFact>,
    readonly string[],
  ])[] = [
    ['level', {}, {}, []],
    ['ahead of the primary', { lastValue: 500n }, {}, []],
    ['behind both', { lastValue: 1n }, {}, ['DATA fail', 'PRIMARY fail']],
    ['just behind the data', { lastValue: 99n }, { lastValue: 99n }, ['DATA fail']],
    ['behind the primary only', { lastValue: 100n }, { lastValue: 101n }, ['PRIMARY fail']],
    ['increment of two reaches past the data', { lastValue: 99n, increment: 2n }, { lastValue: 99n }, []],
    [
      'descending, level',
      { lastValue: -5n, increment: -1n, dataExtreme: -5n },
      { lastValue: -5n, increment: -1n },
      [],
    ],
    [
      'descending, behind',
      { lastValue: -3n, increment: -1n, dataExtreme: -5n },
      { lastValue: -5n, increment: -1n },
      ['DATA fail', 'PRIMARY fail'],
    ],
    ['feeds nothing', { lastValue: 100n, ownedBy: null }, {}, []],
    ['feeds an empty column', { lastValue: 100n, dataExtreme: null }, {}, []],
    ['own value unknown', { lastValue: null }, {}, ['DATA unknown', 'PRIMARY unknown']],
    ['primary’s value unknown', {}, { lastValue: null }, ['PRIMARY unknown']],
    [
      '64 bits',
      { lastValue: 2n ** 62n, dataExtreme: 2n ** 62n + 1n },
      { lastValue: 2n ** 62n },
      ['DATA fail'],
    ],
  ];
  it.each(cases)('%s', (_, ours, theirs, expected) => {
    const input = readinessInput('logical', {
      candidate: { sequences: [{ ...SEQUENCE, ...ours }] },
      primary: { sequences: [{ ...SEQUENCE, ...theirs }] },
    });
    expect(trouble(input)).toEqual(expected.map((line) => `TP-R-SEQUENCE-${line} public.orders_id_seq`));
  });

  it('one that the candidate lacks is behind', () => {
    expect(trouble(readinessInput('logical', { candidate: { sequences: [] } }))).toEqual([
      'TP-R-SEQUENCE-PRIMARY fail public.orders_id_seq',
    ]);
  });

  it('one that may not be read is unknown, and hides no other that is behind', () => {
    const other = { ...SEQUENCE, name: 'public.other', lastValue: 1n };
    const unread = [{ fact: 'sequences.public.orders_id_seq', reason: 'no index on the column' }];
    const candidate = { sequences: [SEQUENCE, other], unread };
    expect(trouble(readinessInput('logical', { candidate }))).toEqual([
      'TP-R-SEQUENCE-DATA unknown public.orders_id_seq',
      'TP-R-SEQUENCE-DATA fail public.other',
    ]);
    expect(trouble(readinessInput('logical', { candidate: { sequences: [], unread } }))).toEqual([
      'TP-R-SEQUENCE-DATA unknown public.orders_id_seq',
      'TP-R-SEQUENCE-PRIMARY unknown public.orders_id_seq',
    ]);
    expect(trouble(readinessInput('logical', { primary: { sequences: [], unread } }))).toEqual([
      'TP-R-SEQUENCE-PRIMARY unknown public.orders_id_seq',
    ]);
    expect(trouble(readinessInput('logical', { primary: { unread } }))).toEqual([]);
  });

  it('none on the primary leaves nothing to be behind of', () => {
    expect(trouble(readinessInput('logical', { primary: { sequences: [] } }))).toEqual([]);
  });

  it('fails exactly when the next value is not beyond the data (property)', () => {
    fc.assert(
      fc.property(
        fc.bigInt(-50n, 50n),
        fc.bigInt(-50n, 50n),
        fc.bigInt(1n, 5n),
        fc.boolean(),
        (last, data, step, down) => {
          const increment = down ? -step : step;
          const sequences = [{ ...SEQUENCE, lastValue: last, increment, dataExtreme: data }];
          const failed = codesIn(
            'fail',
            readinessInput('logical', { candidate: { sequences }, primary: { sequences } }),
          );
          const clear = down ? last - step < data : last + step > data;
          expect(failed).toEqual(clear ? [] : ['TP-R-SEQUENCE-DATA']);
        },
      ),
    );
  });
});
