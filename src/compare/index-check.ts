import type { FoundRow, Range, RowShape } from '../connector/contract.ts';
import { keyAt } from '../digest/records.ts';
import { frameFields, keyFieldsOf } from '../row/stream.ts';
import { reason } from './reasons.ts';
import { withRetry } from './retry.ts';
import type { Suspect } from './suspect.ts';
import { nameOf } from './suspects.ts';
import type { TableRun } from './table-run.ts';

type Site = 'primary' | 'candidate';

/** A row of the table itself: where it stands and what it is called. */
interface Placed {
  readonly address: Uint8Array;
  readonly key: Uint8Array;
}

/**
 * Suspects are found by scanning the table and settled through its index, so a row that no index leads to would
 * settle as absent from both sites. Every row that only one site showed in a block range is therefore looked up by its
 * address, and the index must know a row of that version.
 *
 * Proof. A row that stands at one address in one version before and after the index was asked was visible when it was
 * asked, under the key that it has at that address.
 */
export async function checkIndexes(run: TableRun, range: Range, suspects: readonly Suspect[]): Promise<void> {
  const { plan, tally } = run;
  if (plan.method !== 'block' || plan.shapes.primary.identity !== 'key') return;
  for (const [site, kind] of [
    ['candidate', 'extra'],
    ['primary', 'missing'],
  ] as const) {
    const keys = suspects.filter((suspect) => suspect.kind === kind).map(({ key }) => key);
    const hidden = keys.length === 0 ? 0 : await countHidden(run, site, range, keys);
    if (hidden === 0) continue;
    const message = `${hidden} rows on the ${site} are in the table but not in its key's index`;
    tally.broken(reason('TP-INDEX-CORRUPT', plan.name, message));
  }
}

async function countHidden(
  run: TableRun,
  site: Site,
  range: Range,
  keys: readonly Uint8Array[],
): Promise<number> {
  const byKey = run.plan.shapes[site];
  const byAddress: RowShape = {
    ...byKey,
    identity: 'address',
    keyFields: 1,
    columns: byKey.columns.slice(0, byKey.keyFields),
  };
  const size = run.pair.limits.settleBatch;
  const placed = await rowsOf(run, site, byAddress, range, new Set(keys.map(nameOf)));
  let hidden = 0;
  for (let at = 0; at < placed.length; at += size) {
    const rows = placed.slice(at, at + size);
    // By now another row may stand there: only one with the key that the scan saw is asked about.
    const seen = new Set(rows.map(({ address, key }) => nameOf(Buffer.concat([address, key]))));
    const before = await versionsOf(
      run,
      site,
      byAddress,
      rows.map(({ address }) => address),
      (row) => seen.has(nameOf(row.row.subarray(2))),
    );
    const indexed = await versionsOf(
      run,
      site,
      byKey,
      rows.map(({ key }) => key),
    );
    const unknown = rows.filter(({ address, key }) => {
      const [version] = before.get(nameOf(address)) ?? [];
      return version !== undefined && !(indexed.get(nameOf(key)) ?? []).includes(version);
    });
    const after = await versionsOf(
      run,
      site,
      byAddress,
      unknown.map(({ address }) => address),
    );
    hidden += unknown.filter(({ address }) => {
      const name = nameOf(address);
      return after.get(name)?.[0] === before.get(name)?.[0];
    }).length;
  }
  return hidden;
}

/** The rows of a range that have one of the keys, by a scan of the table. */
async function rowsOf(
  run: TableRun,
  site: Site,
  shape: RowShape,
  range: Range,
  wanted: ReadonlySet<string>,
): Promise<Placed[]> {
  const { pair, sinks, signal } = run;
  return sinks.with(0, async (sink) => {
    await withRetry(pair, signal, async () => {
      sink.begin('records', 1 + shape.columns.length);
      await pair[site].readRange({ shape, range }, sink, signal);
      sink.digest();
    });
    const records = sink.records();
    const rows: Placed[] = [];
    for (let row = 0; row < records.count; row++) {
      const [address = null, ...key] = keyFieldsOf(keyAt(records, row));
      const placed = { address: frameFields([address]), key: frameFields(key) };
      if (wanted.has(nameOf(placed.key))) rows.push(placed);
    }
    return rows;
  });
}

/** The versions of the rows found under each identity; rows without a version are left out. */
async function versionsOf(
  run: TableRun,
  site: Site,
  shape: RowShape,
  identities: readonly Uint8Array[],
  counts: (row: FoundRow) => boolean = () => true,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const { pair, signal } = run;
  const rows: readonly FoundRow[] = await withRetry(pair, signal, () =>
    pair[site].readRows(shape, identities, 'index', signal),
  );
  const versions = new Map<string, string[]>();
  for (const { key, version } of rows.filter(counts)) {
    if (version === null) continue;
    const name = nameOf(key);
    versions.set(name, [...(versions.get(name) ?? []), version]);
  }
  return versions;
}
