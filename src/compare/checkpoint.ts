import type { Range } from '../connector/contract.ts';
import type { TablePlan } from './scope.ts';

/** One range that was proven equal. */
interface ProvenRange {
  readonly rows: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** What is proven so far, by table; plain data, ready for a state file. */
export interface CheckpointData {
  readonly tables: Record<
    string,
    { readonly definition: string; readonly ranges: Record<string, ProvenRange> }
  >;
}

/** What a resumed run took over. */
export interface TakenOver {
  ranges: number;
  rows: bigint;
  sinceMs: number;
}

/**
 * Remembers which ranges were proven equal, so that a later run need not read them again. A range counts only under
 * the same definitions of its table on both sites; an open-ended range is never taken over, since it may have grown.
 */
export class Checkpoint {
  readonly #data: CheckpointData;
  readonly #now: () => number;
  readonly takenOver: TakenOver = { ranges: 0, rows: 0n, sinceMs: Infinity };
  #dirty = false;

  constructor(data: CheckpointData, now: () => number) {
    this.#data = data;
    this.#now = now;
  }

  /** The rows of a range proven by an earlier run, or null. */
  proven(plan: TablePlan, range: Range): bigint | null {
    const table = this.#data.tables[plan.name];
    if (table === undefined || table.definition !== definitionOf(plan) || range.to === null) return null;
    const known = Object.hasOwn(table.ranges, range.id) ? table.ranges[range.id] : undefined;
    if (known === undefined) return null;
    const rows = BigInt(known.rows);
    this.takenOver.ranges++;
    this.takenOver.rows += rows;
    this.takenOver.sinceMs = Math.min(this.takenOver.sinceMs, known.at);
    return rows;
  }

  prove(plan: TablePlan, range: Range, rows: bigint): void {
    const definition = definitionOf(plan);
    let table = this.#data.tables[plan.name];
    if (table === undefined || table.definition !== definition) {
      table = { definition, ranges: {} };
      this.#data.tables[plan.name] = table;
    }
    table.ranges[range.id] = { rows: rows.toString(), at: this.#now() };
    this.#dirty = true;
  }

  /** Forgets a table whose proof was voided. */
  forget(table: string): void {
    delete this.#data.tables[table];
    this.#dirty = true;
  }

  /** The data, if anything changed since the last call. */
  takeChanges(): CheckpointData | null {
    if (!this.#dirty) return null;
    this.#dirty = false;
    return this.#data;
  }
}

function definitionOf({ method, encoding, fingerprints, shapes }: TablePlan): string {
  // Under another mapping of columns other values were compared.
  const renamed = shapes.primary.columns.flatMap(({ name }, index) => {
    const other = shapes.candidate.columns[index]?.name;
    return other === name ? [] : [[name, other]];
  });
  const mapping = renamed.length === 0 ? '' : ` ${JSON.stringify(renamed)}`;
  return `${method} ${encoding} ${fingerprints.primary} ${fingerprints.candidate}${mapping}`;
}
