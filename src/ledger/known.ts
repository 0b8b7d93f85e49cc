import { z } from 'zod';
import type { ReadinessFacts } from '../connector/facts.ts';
import type { Identity } from '../connector/identity.ts';
import type { FollowedSource, Synchrony } from '../connector/ledger-sites.ts';
import type { PairKind } from '../connector/table.ts';
import type { Store } from './store.ts';
import { positionSchema } from './stored.ts';

/**
 * What the ledger remembers beside rows and commits, by name: whatever must be known of the sites when they are gone.
 * Times are microseconds since 1970 UTC: `…Us` on the primary's clock where a reading of the primary gave them, `atUs`
 * on the watcher's own.
 */
const microseconds = z.string().transform((text) => BigInt(text));
const count = microseconds.nullable();

const identitySchema: z.ZodType<Identity> = z.object({
  engine: z.string(),
  version: z.string(),
  systemId: z.string(),
  instance: z.string(),
  timeline: z.string().nullable(),
  role: z.enum(['primary', 'standby', 'subscriber']),
  writable: z.boolean(),
  database: z.string(),
  databases: z.array(z.string()),
  address: z.string().nullable(),
  serverTime: z.string(),
});

const synchronySchema: z.ZodType<Synchrony> = z.object({
  state: z.enum(['waiting', 'fallen back', 'off']),
  awaited: z.number(),
  receivers: z.number(),
  hidden: z.boolean(),
  unconfirmed: z.string(),
});

const followedSchema: z.ZodType<FollowedSource> = z.object({
  engine: z.string(),
  systemId: z.string(),
  timeline: z.string().nullable(),
  details: z.record(z.string(), z.string()),
  synchrony: synchronySchema.nullable().optional(),
});

/** What rules of one engine look at is plain data, and kept as it is (src/connector/facts.ts). */
const readinessSchema: z.ZodType<ReadinessFacts> = z
  .looseObject({
    inRecovery: z.boolean().nullable(),
    writable: z.boolean().nullable(),
    replayPaused: z.boolean().nullable(),
    systemId: z.string().nullable(),
    timeline: z.string().nullable(),
    unloggedTables: z.array(z.string()).nullable(),
    sequences: z
      .array(
        z.object({
          name: z.string(),
          lastValue: count,
          increment: microseconds,
          ownedBy: z.string().nullable(),
          dataExtreme: count,
        }),
      )
      .nullable(),
    subscriptions: z
      .array(
        z.object({
          name: z.string(),
          enabled: z.boolean(),
          workerRunning: z.boolean().nullable(),
          applyErrors: count,
          skipLsn: z.string().nullable(),
          tablesNotReady: z.array(z.string()),
        }),
      )
      .nullable(),
    unread: z.array(z.object({ fact: z.string(), reason: z.string() })),
  })
  .refine(isReadiness);

function isReadiness(facts: { readonly inRecovery: boolean | null }): facts is ReadinessFacts {
  return facts.inRecovery !== undefined;
}

const pairSchema: z.ZodType<PairKind> = z.enum(['physical', 'logical', 'cross-engine']);
const streamSchema = z.object({ pair: pairSchema });
const primarySchema = z.object({
  identity: identitySchema,
  followed: followedSchema,
  readiness: readinessSchema.nullable(),
  /** When those facts were read, which is less often than the rest. Null: an older version wrote it, with the rest. */
  readinessAtUs: count.default(null),
  /** The primary's clock minus the watcher's, milliseconds, give or take the time of a query. */
  skewMs: z.number(),
  atUs: microseconds,
});
const definitionsSchema = z.object({
  knownUntilUs: microseconds,
  position: positionSchema,
  tables: z.array(
    z.object({ id: z.string(), leaf: z.string(), root: z.string(), unfollowed: z.string().nullable() }),
  ),
});
const gapSchema = z.object({ reason: z.string(), atUs: microseconds });
const differenceSchema = z.object({
  table: z.string(),
  relation: z.int(),
  /** Key fields in the order of the store, hexadecimal. */
  fields: z.string(),
  kind: z.enum(['missing', 'extra', 'changed']),
  firstSeenUs: microseconds,
});
const lagSchema = z.object({
  atUs: microseconds,
  received: positionSchema.nullable(),
  applied: positionSchema.nullable(),
  pendingBytes: count,
});
const ownLogSchema = z.object({
  incarnation: z.string(),
  position: positionSchema,
  atUs: microseconds,
  mark: z.string().nullable().default(null),
});
const logMarkSchema = z.object({ mark: z.string().nullable() });
const differencesSchema = z.object({
  found: z.array(differenceSchema),
  /** More than `found` holds were seen and are not listed. */
  more: z.boolean(),
});

/** Whose canonical form the values of this ledger have: settled when it is made. */
export type KnownStream = z.infer<typeof streamSchema>;
/** The primary as it last answered. */
export type KnownPrimary = z.infer<typeof primarySchema>;
/** The selected tables of the primary as its catalog had them, and up to when nothing else can have happened to them. */
export type KnownDefinitions = z.infer<typeof definitionsSchema>;
/** The last gap in the log, whichever tables it was of. */
export type KnownGap = z.infer<typeof gapSchema>;
/**
 * Up to where in its own log, and up to when, everything that others wrote to a candidate is on its dirty list. `mark`:
 * ChangeStream.mark of there, or of a little before.
 */
export type KnownOwnLog = z.infer<typeof ownLogSchema>;
/** A row that was found to differ and has not been read equal since. */
export type KnownDifference = z.infer<typeof differenceSchema>;
/** Differences of one candidate, until they are resolved: for people. What is dirty says what must be read again. */
export type KnownDifferences = z.infer<typeof differencesSchema>;
/** Where a candidate last stood. */
export type KnownLag = z.infer<typeof lagSchema>;

/** Named values of a ledger. Reading throws MalformedBytes for what this program did not write. */
export class Known {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  stream(): KnownStream | null {
    return this.#store.read('known:stream', streamSchema);
  }

  primary(): KnownPrimary | null {
    return this.#store.read('known:primary', primarySchema);
  }

  definitions(): KnownDefinitions | null {
    return this.#store.read('known:definitions', definitionsSchema);
  }

  gap(): KnownGap | null {
    return this.#store.read('known:gap', gapSchema);
  }

  lag(name: string): KnownLag | null {
    return this.#store.read(`known:lag:${name}`, lagSchema);
  }

  /** ChangeStream.mark of the primary's log, of at most a second before what is stored of it; null: there is none. */
  logMark(): string | null {
    return this.#store.read('known:logmark', logMarkSchema)?.mark ?? null;
  }

  ownLog(name: string): KnownOwnLog | null {
    return this.#store.read(`known:ownlog:${name}`, ownLogSchema);
  }

  differences(name: string): KnownDifferences {
    return this.#store.read(`known:differences:${name}`, differencesSchema) ?? { found: [], more: false };
  }

  writeStream(value: KnownStream): void {
    this.#write('known:stream', value);
  }

  writePrimary(value: KnownPrimary): void {
    this.#write('known:primary', value);
  }

  writeDefinitions(value: KnownDefinitions): void {
    this.#write('known:definitions', value);
  }

  writeGap(value: KnownGap): void {
    this.#write('known:gap', value);
  }

  writeLag(name: string, value: KnownLag): void {
    this.#write(`known:lag:${name}`, value);
  }

  writeLogMark(mark: string | null): void {
    this.#write('known:logmark', { mark });
  }

  writeOwnLog(name: string, value: KnownOwnLog): void {
    this.#write(`known:ownlog:${name}`, value);
  }

  writeDifferences(name: string, value: KnownDifferences): void {
    this.#write(`known:differences:${name}`, value);
  }

  #write(name: string, value: unknown): void {
    this.#store.transaction(() => this.#store.write(name, withTexts(value)));
  }
}

/** Numbers of 64 bits are kept as text: JSON has none. */
function withTexts(value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (Array.isArray(value)) return value.map(withTexts);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, withTexts(one)]));
}
