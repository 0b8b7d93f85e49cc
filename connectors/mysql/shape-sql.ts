import type { RowShape } from '../../src/connector/contract.ts';
import type { PortableForm } from '../../src/connector/table.ts';
import { TwinproofError } from '../../src/errors.ts';
import { type MysqlType, needsConversion } from './columns.ts';
import { nativeLiteral, portableLiterals } from './literals.ts';
import { handleOf, type MysqlColumn, type MysqlTable } from './table.ts';
import type { WireOperation } from './wire-row.ts';

/** One column of a shape, with what SQL needs to read it and to look for it. */
export interface ColumnSql {
  readonly column: MysqlColumn;
  readonly type: MysqlType;
  /** Null: the value's own bytes. */
  readonly form: PortableForm | null;
  /** Blanks at the end of a text do not count. */
  readonly trim: boolean;
  /** Digits behind the point to which a decimal is rounded; null: it is not. */
  readonly scale: number | null;
}

export interface ShapeSql {
  readonly table: MysqlTable;
  readonly columns: readonly ColumnSql[];
  readonly keys: readonly ColumnSql[];
}

/** Resolves a shape against the catalog facts in its table's handle. Throws TP-DEFINITION-CHANGED. */
export function shapeSql(shape: RowShape): ShapeSql {
  const table = handleOf(shape.table);
  const byName = new Map(table.columns.map((column) => [column.name, column]));
  const columns = shape.columns.map(({ name, form, trim = false, scale = null }) => {
    const column = byName.get(name);
    if (column === undefined || column.type === null) {
      throw new TwinproofError('TP-DEFINITION-CHANGED', {
        message: `${shape.table.name} has no column "${name}" of a known type`,
      });
    }
    return { column, type: column.type, form: form ?? null, trim, scale };
  });
  return { table, columns, keys: shape.identity === 'key' ? columns.slice(0, shape.keyFields) : [] };
}

/** The SELECT list of a shape, and what the wire makes of each of its columns. */
export function selectList(columns: readonly ColumnSql[]): {
  readonly list: string;
  readonly operations: readonly WireOperation[];
} {
  if (columns.length === 0) return { list: '1 as nothing', operations: ['copy'] };
  return {
    list: columns.map(valueOf).join(', '),
    operations: columns.map(({ form }) => form ?? 'copy'),
  };
}

/**
 * Text of a portable form is UTF-8, so the server converts what is stored otherwise. Everything else is sent as it is
 * stored: the session lets no result be converted.
 */
function valueOf({ column, type, form, trim, scale }: ColumnSql): string {
  const converts = (form === 'text' || form === 'uuid') && needsConversion(type);
  const value = converts ? `convert(${column.quotedName} using utf8mb4)` : column.quotedName;
  if (trim) return `rtrim(${value})`;
  // Exact numbers are rounded half away from zero (manual, "Rounding Behavior").
  return scale === null ? value : `round(${value}, ${scale})`;
}

/** A column, or what has to be compared in its stead. */
export function comparand({ column, type, form }: ColumnSql): string {
  // Only a collation that folds case finds an identifier in whatever case it was written.
  const anyCase = form === 'uuid' && type.kind === 'text' && type.collation?.endsWith('_ci') !== true;
  return anyCase ? `lower(${column.quotedName})` : column.quotedName;
}

/** What a column with this value of the row stream is equal to, any of them; null: no row can have it. */
export function literalsOf({ type, form }: ColumnSql, value: Uint8Array): readonly string[] | null {
  return form === null ? [nativeLiteral(type, value)] : portableLiterals(type, form, value);
}
