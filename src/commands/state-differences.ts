import type { RowShape } from '../connector/contract.ts';
import { TwinproofError } from '../errors.ts';
import { rootOf } from '../ledger/candidate-check.ts';
import type { Core } from '../ledger/core.ts';
import { entryLongKey, entryRow, STATE } from '../ledger/entry.ts';
import { identityOf, isHashedKey, RELATION_BYTES } from '../ledger/key.ts';
import type { KnownDifference } from '../ledger/known.ts';
import { truncateMiddle } from '../report/text-width.ts';
import { type CandidateState, DIFFERENCES_MAX } from '../state/schema.ts';
import type { CandidateFindings } from './certify-candidate.ts';
import type { LedgerConnector } from './certify-primary.ts';
import type { SiteIo } from './io.ts';
import type { OfSite } from './state-question.ts';

/** A key must be seen whole to be of use, but a text key may hold a megabyte. */
const KEY_WIDTH_MAX = 200;

type Listed = NonNullable<CandidateState['rows']>['listed'][number];

interface Differing {
  readonly core: Core;
  readonly found: readonly KnownDifference[];
  readonly findings: Pick<CandidateFindings, 'name' | 'site' | 'shapes'>;
  readonly ofSite: OfSite;
}

/**
 * The first rows that are known to differ, each with its key as the candidate writes it and the digest that the ledger
 * has of the primary's row. A key that the candidate cannot be asked to write is told by its bytes.
 */
export async function listedDifferences(
  { core, found, findings, ofSite }: Differing,
  io: SiteIo,
): Promise<Listed[]> {
  const rows = found.slice(0, DIFFERENCES_MAX).map((difference) => rowOf(core, difference));
  const texts = new Map<DifferingRow, string>();
  for (const root of new Set(rows.map((row) => row.root))) {
    const { site } = findings;
    const shape = root === null ? undefined : findings.shapes.get(root);
    const own = rows.filter((row) => row.root === root && row.identity !== null);
    if (site === null || shape === undefined || own.length === 0) continue;
    const written = await ofSite(findings.name, ({ signal }) => keysOf(site, shape, own, signal)).catch(
      (error: unknown) => {
        if (io.signal.aborted || !(error instanceof TwinproofError)) throw error;
        return [];
      },
    );
    for (const [index, row] of own.entries()) {
      const key = written[index];
      if (key !== undefined) texts.set(row, key);
    }
  }
  return rows.map((row) => {
    const { table, kind, firstSeenUs, fields } = row.difference;
    return {
      table,
      kind,
      key: texts.get(row) ?? truncateMiddle(`0x${fields}`, KEY_WIDTH_MAX),
      digest: row.digest,
      firstSeenAt: new Date(Number(firstSeenUs / 1000n)).toISOString(),
    };
  });
}

interface DifferingRow {
  readonly difference: KnownDifference;
  readonly root: string | null;
  /** Null: the store holds only a hash of the key. */
  readonly identity: Uint8Array | null;
  /** Hexadecimal; null: the primary does not have the row, or its digest is not known. */
  readonly digest: string | null;
}

function rowOf(core: Core, difference: KnownDifference): DifferingRow {
  const relation = core.catalog.byNumber(difference.relation);
  if (relation === null) return { difference, root: null, identity: null, digest: null };
  const fields = Buffer.from(difference.fields, 'hex');
  const stored = Buffer.concat([Buffer.alloc(RELATION_BYTES), fields]);
  stored.writeUInt32BE(relation.number, 0);
  const entry = core.entry(stored);
  const long = entry === undefined ? null : entryLongKey(entry);
  const isLost = long === null && isHashedKey(stored);
  const row = entry === undefined ? null : entryRow(entry);
  return {
    difference,
    root: rootOf(relation),
    identity: isLost ? null : identityOf(Buffer.from(long ?? fields), relation.signed),
    digest: row?.state === STATE.present ? Buffer.from(row.digest).toString('hex') : null,
  };
}

async function keysOf(
  site: LedgerConnector,
  shape: RowShape,
  rows: readonly DifferingRow[],
  signal: AbortSignal,
): Promise<readonly string[]> {
  const identities = rows.flatMap(({ identity }) => (identity === null ? [] : [identity]));
  const keys = await site.describeKeys(shape, identities, signal);
  return keys.map((key) =>
    Object.entries(key)
      .map(([name, value]) => `${name}=${truncateMiddle(value, KEY_WIDTH_MAX)}`)
      .join(', '),
  );
}
