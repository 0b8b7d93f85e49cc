import type { Outcome, TableResult, VerifyResult } from '../../src/compare/result.ts';
import type { Identity } from '../../src/connector/identity.ts';
import type { Position } from '../../src/connector/position.ts';

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- only a connector makes positions; this stands in for one
const position = (lsn: string) => `7301234567890123456/1/${lsn}` as Position;

export function identityOf(role: 'primary' | 'standby', address: string): Identity {
  return {
    engine: 'postgres',
    version: '15.6',
    systemId: '7301234567890123456',
    instance: `started-at/${address}`,
    timeline: '1',
    role,
    writable: role === 'primary',
    database: 'bank',
    databases: ['bank'],
    address,
    serverTime: '2026-03-01T03:04:05.000Z',
  };
}

export function tableOf(
  name: string,
  outcome: Outcome = 'same',
  more: Partial<TableResult> = {},
): TableResult {
  return {
    table: name,
    outcome,
    encoding: 'pg-binary',
    method: 'block',
    rows: { primary: 5_000_000n, candidate: 5_000_000n },
    differences: { missing: 0n, extra: 0n, changed: 0n },
    samples: [],
    reasons: [],
    ...more,
  };
}

export function resultOf(
  outcome: Outcome,
  tables: readonly TableResult[],
  more: Partial<VerifyResult> = {},
): VerifyResult {
  return {
    outcome,
    pair: 'physical',
    startedAt: new Date('2026-03-01T03:04:05.678Z'),
    finishedAt: new Date('2026-03-01T03:05:28.678Z'),
    primary: {
      engine: 'postgres',
      identity: identityOf('primary', '10.20.30.40:5432'),
      position: position('2A/3F0001A8'),
      headBefore: position('2A/3E000000'),
    },
    candidate: {
      engine: 'postgres',
      identity: identityOf('standby', '10.99.30.40:5432'),
      position: position('2A/3F0001A8'),
    },
    coverage: { tables: tables.length, compared: tables.length, excluded: [] },
    tables,
    reasons: [],
    resumed: null,
    bytesRead: 1_234_567_890n,
    ...more,
  };
}

/** Some of everything: names of all kinds, differences, a table that could not be read. */
export const MIXED = resultOf(
  'different',
  [
    tableOf('public.고객_주문_내역'),
    tableOf('public.orders', 'different', {
      rows: { primary: 5_000_000n, candidate: 4_999_999n },
      differences: { missing: 1n, extra: 0n, changed: 12n },
      samples: [
        { table: 'public.orders', kind: 'missing', key: { id: '12345' } },
        {
          table: 'public.orders',
          kind: 'changed',
          key: { id: '12346', region: '서울' },
          columns: ['amount', 'status'],
        },
        {
          table: 'public.orders',
          kind: 'changed',
          key: { id: '12347' },
          columns: ['amount'],
          values: { amount: { primary: '10.00', candidate: null } },
        },
      ],
    }),
    tableOf('public.items', 'unproven', {
      method: 'none',
      rows: { primary: 0n, candidate: 0n },
      reasons: ['public.items'].map((subject) => ({
        code: 'TP-PERMISSION',
        severity: 'block',
        subject,
        message: 'the role may not read this',
        hint: 'run `twinproof preflight` to see the missing grants',
      })),
    }),
    tableOf(
      'accounting_department.a_very_long_table_name_that_goes_on_and_on_until_sixty_three_2024_01',
      'same',
      {
        method: 'key',
        rows: { primary: 9_223_372_036_854_775_807n, candidate: 9_223_372_036_854_775_807n },
      },
    ),
  ],
  {
    coverage: {
      tables: 4,
      compared: 3,
      excluded: ['public.cache_a', 'public.cache_b'].map((table) => ({
        table,
        reason: 'left out by --exclude public.cache_*',
      })),
    },
    resumed: { ranges: 120, rows: 3_000_000n, provenSince: new Date('2026-02-28T22:00:00Z') },
  },
);
