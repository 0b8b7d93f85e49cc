import { describe, expect, it } from 'vitest';
import { writtenWhen } from '../../connectors/postgres/ledger-candidate.ts';

describe('when a row of a standby was written', () => {
  it.each([
    ['749', '750:760', 'before'],
    ['750', '750:760', null],
    ['759', '750:760', null],
    ['760', '750:760', 'since'],
    ['900', '750:760', 'since'],
    // Behind the wraparound of 32 bits.
    ['4294967290', '4294967300:4294967310', 'before'],
    ['13', '4294967300:4294967310', null],
    ['14', '4294967300:4294967310', 'since'],
    // Frozen by a rewrite of its table.
    ['2', '3000000000:3000000001', 'before'],
    ['749', '', null],
    ['', '750:760', null],
  ] as const)('%s at %s', (writer, transactions, when) => {
    expect(writtenWhen(writer, transactions)).toBe(when);
  });
});
