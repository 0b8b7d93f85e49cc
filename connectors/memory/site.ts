import type { ReadinessFacts } from '../../src/connector/facts.ts';
import type { Finding } from '../../src/connector/identity.ts';
import type { PortableForm, PortableForms, TableDescription } from '../../src/connector/table.ts';
import { TwinproofError } from '../../src/errors.ts';
import type { SiteName } from './faults.ts';
import { HeapTable, type HeapRow, type PlacedRow, type TableSpec } from './heap-table.ts';
import type { ColumnType } from './value.ts';

/** What a connector finds again in TableDescription.handle. */
export interface TableHandle {
  readonly site: string;
  readonly table: string;
}

/** What range reads have seen of a table. */
interface Seen {
  snapshots: number;
  readonly slots: Set<number>;
  /** The rows at the first snapshot. */
  readonly first: ReadonlyMap<number, HeapRow>;
}

const ENCODINGS = { physical: 'pg-binary', logical: 'pg-binary', 'cross-engine': 'portable' } as const;

const natural = (form: PortableForm): PortableForms => ({ natural: [form], onRequest: [], inZone: [] });
/** Stored values are in these forms as they are. */
const FORMS: Readonly<Record<ColumnType, PortableForms>> = {
  int8: natural('integer'),
  text: natural('text'),
  bytea: natural('bytes'),
};

/** One server of the simulated pair: its tables, and what it says of itself. */
export class Site {
  readonly name: SiteName;
  readonly kind: 'physical' | 'logical';
  /** Differs between any two sites of any two worlds. */
  readonly instance: string;
  readonly tables = new Map<string, HeapTable>();
  /** Overrides of the facts that the site reports by itself. */
  readiness: Partial<ReadinessFacts> = {};
  findings: readonly Finding[] = [];
  /** False: every call fails with TP-UNREACHABLE. */
  reachable = true;
  /** Range reads in progress. */
  openReads = 0;
  readonly #seen = new Map<string, Seen>();

  constructor(name: SiteName, kind: 'physical' | 'logical', lineage: string) {
    this.name = name;
    this.kind = kind;
    this.instance = `${lineage} ${name}`;
  }

  addTable(spec: TableSpec): HeapTable {
    const table = new HeapTable(spec);
    this.tables.set(spec.name, table);
    return table;
  }

  /** Throws a RangeError when there is no such table. */
  table(name: string): HeapTable {
    const table = this.tables.get(name);
    if (table === undefined) throw new RangeError(`there is no table ${name}`);
    return table;
  }

  /** The table of a description that this site gave. Of a physical pair the sites may share one. */
  tableOf(description: TableDescription): HeapTable {
    const handle = description.handle;
    if (!isHandle(handle) || (this.kind === 'logical' && handle.site !== this.instance)) {
      throw new TwinproofError('TP-BUG', {
        message: `the ${this.name} was given a table that it did not describe`,
      });
    }
    const table = this.tables.get(handle.table);
    if (table !== undefined) return table;
    throw new TwinproofError('TP-DEFINITION-CHANGED', {
      message: `table ${handle.table} does not exist any more`,
    });
  }

  describeTables(selects: (schema: string, table: string) => boolean): readonly TableDescription[] {
    return [...this.tables.values()].flatMap((table) => {
      const [schema = '', ...rest] = table.name.split('.');
      const names = { schema, table: rest.join('.') };
      return selects(names.schema, names.table) ? [{ ...this.#describe(table), ...names }] : [];
    });
  }

  #describe(table: HeapTable): Omit<TableDescription, 'schema' | 'table'> {
    const handle: TableHandle = { site: this.instance, table: table.name };
    const owner = this.kind === 'physical' ? '' : `${this.instance} `;
    return {
      name: table.name,
      columns: table.columns.map((column) => ({
        name: column.name,
        type: column.type,
        baseType: column.type,
        encodings: column.encodings ?? ENCODINGS,
        portable: FORMS[column.type],
      })),
      key: table.key,
      keyOrder: keyTypes(table).includes('text') ? 'local' : 'portable',
      clustered: table.clustered,
      rowsEstimate: table.rowCount,
      bytesEstimate: table.averageRowBytes * table.rowCount,
      fingerprint: `${owner}${table.generation} ${table.columns.map(({ name, type }) => `${name} ${type}`).join()}`,
      obstacle: table.obstacle,
      handle,
    };
  }

  /** Remembers that a range read has seen these rows. */
  recordSnapshot(table: HeapTable, rows: readonly PlacedRow[]): void {
    const seen = this.#seen.get(table.name) ?? {
      snapshots: 0,
      slots: new Set(),
      first: new Map(table.placedRows().map(({ slot, row }) => [slot, row])),
    };
    seen.snapshots += 1;
    for (const { slot } of rows) seen.slots.add(slot);
    this.#seen.set(table.name, seen);
  }

  /** How many range reads of the table have taken their snapshot. */
  snapshotsOf(table: string): number {
    return this.#seen.get(table)?.snapshots ?? 0;
  }

  /** Was this row there when the table was first read? False for a table that was not read. */
  wasThere(table: string, slot: number, row: HeapRow): boolean {
    return this.#seen.get(table)?.first.get(slot) === row;
  }

  /**
   * May a range read have passed this row already? True also for a row that came after the first read of its table:
   * it may lie where that read has been.
   */
  wasRead(table: string, slot: number, row: HeapRow): boolean {
    const seen = this.#seen.get(table);
    return seen !== undefined && (seen.slots.has(slot) || seen.first.get(slot) !== row);
  }
}

function keyTypes(table: HeapTable): string[] {
  return (table.key ?? []).map((name) => table.columns[table.columnIndex(name)]?.type ?? '');
}

function isHandle(handle: unknown): handle is TableHandle {
  return typeof handle === 'object' && handle !== null && 'site' in handle && 'table' in handle;
}
