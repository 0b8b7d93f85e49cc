import { expect, it } from 'vitest';
import type { SlotFact } from '../../src/connector/facts-postgres.ts';
import { readinessInput, trouble } from './readiness-fixture.ts';
import { POSTGRES_PRIMARY, POSTGRES_STANDBY } from './readiness-postgres-fixture.ts';

const SLOT: SlotFact = {
  name: 'dr',
  type: 'physical',
  active: true,
  walStatus: 'reserved',
  temporary: false,
  failover: false,
  synced: false,
  invalidation: null,
};

const { receiver, settings } = POSTGRES_STANDBY;
if (!receiver.known || receiver.value === null || !settings.known) throw new Error('the fixture has changed');

/** A standby that asks for log by the slot `dr`, as its receiver says, or without one as it is configured. */
const STANDBY = {
  running: {
    ...POSTGRES_STANDBY,
    receiver: { known: true, value: { ...receiver.value, slotName: 'dr' } },
  },
  stopped: {
    ...POSTGRES_STANDBY,
    receiver: { known: true, value: null },
    settings: { known: true, value: { ...settings.value, primary_slot_name: 'dr' } },
  },
} as const;

it.each<[string, readonly SlotFact[], readonly string[]]>([
  ['one that is there and active', [SLOT], []],
  [
    'none of that name',
    [{ ...SLOT, name: 'other' }],
    ['TP-R-PG-OWN-SLOT fail slot dr', 'TP-R-PG-SLOTS fail slot other'],
  ],
  ['one that nobody uses', [{ ...SLOT, active: false }], ['TP-R-PG-OWN-SLOT fail slot dr']],
  ['one of which log is lost', [{ ...SLOT, walStatus: 'lost' }], ['TP-R-PG-OWN-SLOT fail slot dr']],
  [
    'one of which log may go at any time',
    [{ ...SLOT, walStatus: 'unreserved' }],
    ['TP-R-PG-OWN-SLOT fail slot dr'],
  ],
  [
    'one that was invalidated',
    [{ ...SLOT, invalidation: 'idle_timeout' }],
    ['TP-R-PG-OWN-SLOT fail slot dr'],
  ],
  ['one that keeps more than its share', [{ ...SLOT, walStatus: 'extended' }], []],
])('the slot of a standby: %s', (_, slots, expected) => {
  const primary = { postgres: { ...POSTGRES_PRIMARY, slots: { known: true, value: slots } } } as const;
  for (const candidate of [STANDBY.running, STANDBY.stopped]) {
    const found = trouble(readinessInput('physical', { primary, candidate: { postgres: candidate } }));
    expect(found.filter((text) => text.includes('SLOT'))).toEqual(expected);
  }
});

it.each<[string, Partial<SlotFact>, readonly string[]]>([
  ['of others blocks', {}, ['TP-R-PG-FAILOVER-SLOTS fail slot feed']],
  ['that a watch of ours reads from does not', { ours: true }, ['TP-R-PG-SLOTS fail slot feed']],
])('a slot that is to outlive a failover and has no copy: one %s', (_, changes, expected) => {
  const feed: SlotFact = { ...SLOT, name: 'feed', type: 'logical', failover: true, ...changes };
  const primary = { postgres: { ...POSTGRES_PRIMARY, slots: { known: true, value: [SLOT, feed] } } } as const;
  const found = trouble(readinessInput('physical', { primary, candidate: { postgres: STANDBY.running } }));
  expect(found.filter((text) => text.includes('SLOT'))).toEqual(expected);
});
