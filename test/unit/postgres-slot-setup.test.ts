import { expect, test } from 'vitest';
import { type SetupFacts, streamSetup } from '../../connectors/postgres/replication-setup.ts';
import { startPoint, type SlotFacts } from '../../connectors/postgres/replication-slot.ts';

const NAMES = { slot: 'twin', publication: 'twin' };
const SLOT: SlotFacts = {
  plugin: 'pgoutput',
  database: 'bank',
  temporary: false,
  twoPhase: false,
  failover: false,
  synced: false,
  activePid: null,
  confirmed: 100n,
  walStatus: 'reserved',
  invalidated: null,
};
const FACTS: SetupFacts = {
  database: 'bank',
  inRecovery: false,
  walLevel: 'logical',
  slotKeepMb: 1000,
  role: 'watcher',
  mayReplicate: true,
  head: 500n,
  slot: null,
  publication: { withheld: [], viaRoot: false, allTables: false },
  quotedRole: 'watcher',
  quotedPublication: 'twin',
  synchronousStandbys: '',
  heldBackBy: null,
  slots: { most: 10, taken: 0 },
  tables: [],
};

function setup(facts: Partial<SetupFacts>): { readonly sql: string; readonly codes: readonly string[] } {
  const { sql, findings } = streamSetup({ ...FACTS, ...facts }, NAMES, false);
  return { sql, codes: findings.map(({ code, severity }) => `${code} ${severity}`) };
}

test('a slot outlives a failover where the server knows such slots', () => {
  expect(setup({}).sql).toBe(`SELECT pg_catalog.pg_create_logical_replication_slot('twin', 'pgoutput');`);
  expect(setup({ heldBackBy: '' }).sql).toBe(
    `SELECT pg_catalog.pg_create_logical_replication_slot('twin', 'pgoutput', failover => true);`,
  );
});

test('one that would be sent nothing before standbys have it is not made unasked', () => {
  const lines = setup({ heldBackBy: 'dr_one' }).sql.split('\n');
  expect(lines.filter((line) => !line.startsWith('-- '))).toEqual([
    `SELECT pg_catalog.pg_create_logical_replication_slot('twin', 'pgoutput');`,
  ]);
  expect(lines.join(' ')).toContain('nothing could be said of what was lost');
});

test('a slot that is there and does not outlive a failover is told, and stands in nobody’s way', () => {
  expect(setup({ heldBackBy: '', slot: SLOT }).codes).toEqual(['TP-P-FAILOVER info']);
  expect(setup({ heldBackBy: '', slot: { ...SLOT, failover: true } }).codes).toEqual([]);
  expect(setup({ heldBackBy: 'dr_one', slot: SLOT }).codes).toEqual([]);
  expect(setup({ slot: SLOT }).codes).toEqual([]);
});

test('what a standby does not have yet is waited for, and what a primary lacks is a gap', () => {
  const copy = { ...SLOT, failover: true, synced: true };
  const standby = { ...FACTS, inRecovery: true, head: null };
  const start = (facts: SetupFacts) => () => startPoint(facts, NAMES, 200n, false);
  const waiting = expect.objectContaining({ code: 'TP-STREAM-SETUP', retryable: true });
  expect(start({ ...standby, slot: copy })).toThrow(waiting);
  expect(start({ ...standby, slot: { ...copy, temporary: true } })).toThrow(waiting);
  expect(start(standby)).toThrow(waiting);
  expect(start(FACTS)).toThrow(expect.objectContaining({ code: 'TP-GAP' }));
  // A copy remains marked as one when its server is promoted.
  expect(start({ ...FACTS, slot: copy })()).toBe(200n);
});
