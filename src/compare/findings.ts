import type { FoundRow, RowShape } from '../connector/contract.ts';
import { portableText } from '../row/portable-text.ts';
import { fieldsOf } from '../row/stream.ts';
import type { Difference } from './result.ts';
import { isTooLarge, withRetry } from './retry.ts';
import { columnsThatDiffer } from './settle.ts';
import { KeySet } from './key-set.ts';
import type { ShapePair, SitePair } from './site-pair.ts';
import type { Proven } from './suspect.ts';
import { nameOf } from './suspects.ts';
import type { Tally } from './tally.ts';

/** Takes every difference, with back-pressure: the `--differences` file. */
export type DifferenceListener = (difference: Difference) => Promise<void>;

export interface FindingsOptions {
  readonly onDifference: DifferenceListener | null;
  readonly showValues: boolean;
}

interface BothRows {
  readonly primary: Uint8Array | undefined;
  readonly candidate: Uint8Array | undefined;
}

/** Turns proven differences into what a person reads. Only those that somebody will see cost a query. */
export class Findings {
  readonly #pair: SitePair;
  readonly #shapes: ShapePair;
  readonly #table: string;
  readonly #tally: Tally;
  readonly #options: FindingsOptions;
  readonly #told = new KeySet();

  constructor(pair: SitePair, table: string, shapes: ShapePair, tally: Tally, options: FindingsOptions) {
    this.#pair = pair;
    this.#table = table;
    this.#shapes = shapes;
    this.#tally = tally;
    this.#options = options;
  }

  async add(found: readonly Proven[], signal: AbortSignal): Promise<void> {
    // A row that moved while it was read can be found in two places. Values without a key are judged once, by count.
    const keyed = this.#shapes.primary.identity === 'key';
    const proven = keyed ? found.filter(({ key }) => this.#told.add(key)) : found;
    for (const { kind, count } of proven) this.#tally.count(kind, count);
    const shown = this.#options.onDifference === null ? proven.slice(0, this.#tally.samplesWanted) : proven;
    const size = this.#pair.limits.settleBatch;
    for (let at = 0; at < shown.length; at += size)
      await this.#describeAll(shown.slice(at, at + size), signal);
  }

  /** Wide rows are read in smaller batches. Rows are read before any is told, so that none is told twice. */
  async #describeAll(proven: readonly Proven[], signal: AbortSignal): Promise<void> {
    try {
      await this.#describe(proven, signal);
    } catch (error) {
      if (!isTooLarge(error) || proven.length < 2) throw error;
      const middle = proven.length >> 1;
      await this.#describeAll(proven.slice(0, middle), signal);
      await this.#describeAll(proven.slice(middle), signal);
    }
  }

  async #describe(proven: readonly Proven[], signal: AbortSignal): Promise<void> {
    const keys = proven.map(({ key }) => key);
    const texts = await withRetry(this.#pair, signal, () =>
      this.#pair.primary.describeKeys(this.#shapes.primary, keys, signal),
    );
    const byPlace = this.#shapes.primary.identity !== 'value';
    const unnamed = byPlace
      ? proven.filter(({ kind, columns }) => kind === 'changed' && columns === null)
      : [];
    const rows = await this.#bothRows(this.#shapes, unnamed, signal);
    const values = this.#options.showValues && byPlace ? await this.#values(proven, signal) : null;
    for (const [index, difference] of proven.entries()) {
      const described = describe(this.#table, difference, texts[index] ?? {}, this.#shapes, rows);
      const shown = values?.get(nameOf(difference.key));
      const complete = shown === undefined ? described : { ...described, values: shown };
      this.#tally.sample(complete);
      await this.#options.onDifference?.(complete);
    }
  }

  async #bothRows(
    shapes: ShapePair,
    proven: readonly Proven[],
    signal: AbortSignal,
  ): Promise<Map<string, BothRows>> {
    const keys = proven.map(({ key }) => key);
    if (keys.length === 0) return new Map();
    const read = (site: 'primary' | 'candidate', shape: RowShape): Promise<readonly FoundRow[]> =>
      withRetry(this.#pair, signal, () => this.#pair[site].readRows(shape, keys, 'index', signal));
    const [ours, theirs] = await Promise.all([
      read('primary', shapes.primary),
      read('candidate', shapes.candidate),
    ]);
    const primary = new Map(ours.map(({ key, row }) => [nameOf(key), row]));
    const candidate = new Map(theirs.map(({ key, row }) => [nameOf(key), row]));
    return new Map(
      keys.map(nameOf).map((name) => [name, { primary: primary.get(name), candidate: candidate.get(name) }]),
    );
  }

  /** Values as text, by reading the rows once more with every column but the key as text. */
  async #values(
    proven: readonly Proven[],
    signal: AbortSignal,
  ): Promise<Map<string, NonNullable<Difference['values']>>> {
    const shapes = { primary: asText(this.#shapes.primary), candidate: asText(this.#shapes.candidate) };
    const rows = await this.#bothRows(shapes, proven, signal);
    return new Map([...rows].map(([name, both]) => [name, valuesOf(both, shapes.primary)]));
  }
}

function describe(
  table: string,
  { kind, key, columns, count }: Proven,
  text: Readonly<Record<string, string>>,
  shapes: ShapePair,
  rows: ReadonlyMap<string, BothRows>,
): Difference {
  const difference: Difference = {
    table,
    kind,
    key: count > 1 ? { ...text, '(rows)': String(count) } : text,
  };
  if (kind !== 'changed') return difference;
  const both = rows.get(nameOf(key));
  if (columns !== null) return { ...difference, columns };
  if (both?.primary === undefined || both.candidate === undefined) return difference;
  const named = columnsThatDiffer(both.primary, both.candidate, shapes);
  return named.length > 0 ? { ...difference, columns: named } : difference;
}

function asText(shape: RowShape): RowShape {
  const keyFields = shape.identity === 'key' ? shape.keyFields : 0;
  return {
    ...shape,
    columns: shape.columns.map((column, index) =>
      index < keyFields || column.encoding === 'portable' ? column : { ...column, encoding: 'pg-text' },
    ),
  };
}

function valuesOf(rows: BothRows, shape: RowShape): NonNullable<Difference['values']> {
  const skip = shape.identity === 'address' ? 1 : 0;
  const keyFields = shape.identity === 'key' ? shape.keyFields : 0;
  const ours = rows.primary === undefined ? null : fieldsOf(rows.primary);
  const theirs = rows.candidate === undefined ? null : fieldsOf(rows.candidate);
  const values: Record<string, { primary: string | null; candidate: string | null }> = {};
  for (const [index, { name, form }] of shape.columns.entries()) {
    if (index < keyFields) continue;
    const primary = textOf(ours?.[index + skip], form);
    const candidate = textOf(theirs?.[index + skip], form);
    if (primary !== candidate || ours === null || theirs === null) values[name] = { primary, candidate };
  }
  return values;
}

function textOf(
  field: Uint8Array | null | undefined,
  form: RowShape['columns'][number]['form'],
): string | null {
  if (field === null || field === undefined) return null;
  return form === undefined ? Buffer.from(field).toString('utf8') : portableText(field, form);
}
