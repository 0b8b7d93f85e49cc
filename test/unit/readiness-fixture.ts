import type { ReadinessFacts, SequenceFact, SubscriptionFact } from '../../src/connector/facts.ts';
import type { Identity } from '../../src/connector/identity.ts';
import type { PairKind } from '../../src/connector/table.ts';
import { judgeReadiness, type ReadinessResult } from '../../src/readiness/judge.ts';
import type { ReadinessInput } from '../../src/readiness/rule.ts';
import {
  POSTGRES_PRIMARY,
  POSTGRES_PUBLISHER,
  POSTGRES_STANDBY,
  POSTGRES_SUBSCRIBER,
} from './readiness-postgres-fixture.ts';

export const PRIMARY_IDENTITY: Identity = {
  engine: 'postgres',
  version: '17.2',
  systemId: '7440000000000000001',
  instance: 'a',
  timeline: '1',
  role: 'primary',
  writable: true,
  database: 'bank',
  databases: ['bank', 'postgres'],
  address: '10.0.0.1:5432',
  serverTime: '2026-01-02T03:04:05.000Z',
};

export const STANDBY_IDENTITY: Identity = {
  ...PRIMARY_IDENTITY,
  instance: 'b',
  role: 'standby',
  writable: false,
  address: '10.0.0.2:5432',
};

export const SUBSCRIBER_IDENTITY: Identity = {
  ...PRIMARY_IDENTITY,
  systemId: '7440000000000000002',
  instance: 'c',
  role: 'subscriber',
};

export const SEQUENCE: SequenceFact = {
  name: 'public.orders_id_seq',
  lastValue: 100n,
  increment: 1n,
  ownedBy: 'public.orders.id',
  dataExtreme: 100n,
};

export const SUBSCRIPTION: SubscriptionFact = {
  name: 'dr',
  enabled: true,
  workerRunning: true,
  applyErrors: 0n,
  skip: '',
  tablesNotReady: [],
};

export const PRIMARY_FACTS: ReadinessFacts = {
  inRecovery: false,
  writable: true,
  replayPaused: false,
  systemId: PRIMARY_IDENTITY.systemId,
  timeline: '1',
  unloggedTables: [],
  sequences: [SEQUENCE],
  subscriptions: [],
  unread: [],
  postgres: POSTGRES_PRIMARY,
};

export const STANDBY_FACTS: ReadinessFacts = {
  ...PRIMARY_FACTS,
  inRecovery: true,
  writable: false,
  postgres: POSTGRES_STANDBY,
};

export const SUBSCRIBER_FACTS: ReadinessFacts = {
  ...PRIMARY_FACTS,
  systemId: SUBSCRIBER_IDENTITY.systemId,
  subscriptions: [SUBSCRIPTION],
  postgres: POSTGRES_SUBSCRIBER,
};

/** A pair of sites with nothing wrong, but for what is given. */
export function readinessInput(
  pair: PairKind,
  changed: {
    readonly primary?: Partial<ReadinessFacts>;
    readonly candidate?: Partial<ReadinessFacts>;
    readonly candidateIdentity?: Partial<Identity>;
  } = {},
): ReadinessInput {
  const physical = pair === 'physical';
  return {
    pair,
    deep: true,
    primary: {
      facts: {
        ...PRIMARY_FACTS,
        postgres: physical ? POSTGRES_PRIMARY : POSTGRES_PUBLISHER,
        ...changed.primary,
      },
      identity: PRIMARY_IDENTITY,
    },
    candidate: {
      facts: { ...(physical ? STANDBY_FACTS : SUBSCRIBER_FACTS), ...changed.candidate },
      identity: { ...(physical ? STANDBY_IDENTITY : SUBSCRIBER_IDENTITY), ...changed.candidateIdentity },
    },
  };
}

/** `CODE state subject` of everything that did not pass. */
export function trouble(input: ReadinessInput): readonly string[] {
  return judgeReadiness(input)
    .filter((result) => result.state !== 'pass')
    .map(({ code, state, subject }) => `${code} ${state} ${subject}`);
}

export function codesIn(state: ReadinessResult['state'], input: ReadinessInput): readonly string[] {
  return [
    ...new Set(
      judgeReadiness(input)
        .filter((result) => result.state === state)
        .map((result) => result.code),
    ),
  ].sort();
}
