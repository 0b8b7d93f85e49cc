import type { ReadinessFacts, SubscriptionFact } from '../../src/connector/facts.ts';
import type { Identity } from '../../src/connector/identity.ts';
import type { Site } from './site.ts';
import type { World } from './world.ts';

/** What the site reports by itself, with the overrides that a test has set. */
export function readinessOf(site: Site, identity: Identity, world: World): ReadinessFacts {
  const standby = identity.role === 'standby';
  return {
    inRecovery: standby,
    writable: identity.writable,
    replayPaused: standby ? world.stalled : null,
    systemId: identity.systemId,
    timeline: identity.timeline,
    unloggedTables: [],
    sequences: [],
    subscriptions: identity.role === 'subscriber' ? [subscription(world)] : [],
    unread: [],
    ...site.readiness,
  };
}

function subscription(world: World): SubscriptionFact {
  return {
    name: 'memory',
    enabled: true,
    workerRunning: !world.stalled,
    applyErrors: BigInt(world.applyErrors),
    skip: null,
    tablesNotReady: [],
  };
}
