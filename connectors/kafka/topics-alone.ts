import type { ChangeStream } from '../../src/connector/changes.ts';
import type { FoundRow, Range } from '../../src/connector/contract.ts';
import type { FeedFacts } from '../../src/connector/facts.ts';
import type { Finding, LagFacts, Relation } from '../../src/connector/identity.ts';
import type {
  Bracket,
  LedgerCandidate,
  LedgerSetup,
  PendingLog,
  SnapshotReading,
} from '../../src/connector/ledger-sites.ts';
import type { AppliedReading, HeadReading, Position } from '../../src/connector/position.ts';
import { TwinproofError } from '../../src/errors.ts';

function refused(): TwinproofError {
  return new TwinproofError('TP-ROLES', {
    message: 'topics are no site that could be promoted',
    hint: 'a candidate is the database that a sink writes from them',
  });
}

/** What topics alone cannot give, rows, and cannot be, a candidate. */
export abstract class TopicsAlone implements LedgerCandidate {
  follow(): Promise<void> {
    return Promise.reject(refused());
  }

  incarnation(): Promise<string> {
    return Promise.reject(refused());
  }

  keyRange(): Range | null {
    return null;
  }

  readRangeBracketed(): Promise<Bracket | null> {
    return Promise.reject(refused());
  }

  readRowsBracketed(): Promise<{ readonly rows: readonly FoundRow[]; readonly bracket: Bracket | null }> {
    return Promise.reject(refused());
  }

  writtenWhen(): 'before' | 'since' | null {
    return null;
  }

  pendingLog(): Promise<PendingLog> {
    return Promise.reject(refused());
  }

  feed(): Promise<FeedFacts> {
    return Promise.reject(refused());
  }

  bytesBetween(): bigint | null {
    return null;
  }

  forks(): Promise<readonly Position[]> {
    return Promise.resolve([]);
  }

  ownChanges(): Promise<ChangeStream | null> {
    return Promise.resolve(null);
  }

  originPosition(): Position | null {
    return null;
  }

  ledgerSetup(): Promise<LedgerSetup> {
    return Promise.resolve({ sql: '', findings: [] });
  }

  relateTo(): Promise<Relation> {
    const message = 'topics follow nobody: they are the primary';
    return Promise.resolve({ kind: 'none', code: 'TP-ROLES', message });
  }

  preflight(): Promise<readonly Finding[]> {
    return Promise.resolve([]);
  }

  head(): Promise<HeadReading> {
    return Promise.reject(unseen('the head of its log'));
  }

  applied(): Promise<AppliedReading> {
    return Promise.resolve({ applied: null });
  }

  planRanges(): Promise<readonly Range[]> {
    return Promise.reject(unseen('its rows'));
  }

  splitRange(): Promise<readonly Range[]> {
    return Promise.reject(unseen('its rows'));
  }

  readRange(): Promise<void> {
    return Promise.reject(unseen('its rows'));
  }

  readRows(): Promise<readonly FoundRow[]> {
    return Promise.reject(unseen('its rows'));
  }

  commitsPending(): Promise<'none' | 'pending' | 'unknown'> {
    return Promise.resolve('unknown');
  }

  markNow(): Promise<string> {
    return Promise.reject(unseen('its transactions'));
  }

  readWrittenSince(): Promise<void> {
    return Promise.reject(unseen('its rows'));
  }

  describeKeys(): Promise<readonly Readonly<Record<string, string>>[]> {
    return Promise.reject(unseen('its rows'));
  }

  lag(): Promise<LagFacts> {
    return Promise.resolve({ received: null, applied: null, receivedNotAppliedBytes: null });
  }

  readSnapshot(): Promise<SnapshotReading> {
    return Promise.reject(unseen('its rows'));
  }

  readRowsSnapshot(): Promise<{ readonly rows: readonly FoundRow[]; readonly snapshot: SnapshotReading }> {
    return Promise.reject(unseen('its rows'));
  }
}

function unseen(what: string): TwinproofError {
  return new TwinproofError('TP-QUERY', {
    message: `${what} cannot be asked for: of this database only its topics are known`,
    hint: 'nothing is to be done: what the topics do not tell is unproven',
  });
}
