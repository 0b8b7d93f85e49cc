import type { ColumnRead, RowShape } from '../connector/contract.ts';
import type { ColumnDescription, PairKind, PortableForm, TableDescription } from '../connector/table.ts';
import type { Relation } from './relation.ts';

/** A relation, or a table as the stream describes it. */
type Described = Pick<Relation, 'absent' | 'keyFields'> & { readonly columns: readonly DescribedColumn[] };
type DescribedColumn = Pick<Relation['columns'][number], 'name' | 'type' | 'encoding'> & {
  readonly form?: PortableForm | null | undefined;
};

/** A shape, or in plain words why there is none. */
export type ShapeAnswer =
  { readonly shape: RowShape; readonly problem: null } | { readonly shape: null; readonly problem: string };

/**
 * How rows of a relation must be read so that they have the bytes that its changes have in the stream. `table` is the
 * description of its root, on the primary or on a candidate, fresh from describeTables; where the two do not agree there
 * is no shape, and nothing is guessed. Pure.
 */
export function shapeOf(
  relation: Described,
  table: TableDescription,
  pair: PairKind,
  site: 'primary' | 'candidate',
): ShapeAnswer {
  const { keyFields } = relation;
  if (keyFields === null) return refused('the log does not say which of its rows changed');
  if (table.obstacle !== null) return refused(table.obstacle.message);
  const described = new Map(table.columns.map((column) => [column.name, column]));
  const columns: ColumnRead[] = [];
  for (const column of relation.columns) {
    const found = described.get(column.name);
    const problem = problemOf(column, found, pair);
    const encoding = found?.encodings[pair] ?? null;
    if (problem !== null || encoding === null)
      return refused(problem ?? `column "${column.name}" has no form`);
    described.delete(column.name);
    columns.push({
      name: column.name,
      encoding,
      ...(column.form == null ? {} : { form: column.form }),
    });
  }
  for (const name of relation.absent) described.delete(name);
  // What only a candidate has cannot be compared; on the primary it means that the catalog is ahead of the log.
  const [unknown] = site === 'primary' ? described.keys() : [];
  if (unknown !== undefined) return refused(`column "${unknown}" is not in the log`);
  return { shape: { table, identity: 'key', columns, keyFields, pair }, problem: null };
}

function problemOf(
  { name, type, encoding, form }: DescribedColumn,
  found: ColumnDescription | undefined,
  pair: PairKind,
): string | null {
  if (encoding === null) return `column "${name}" does not come with the log in a form that can be compared`;
  if (found === undefined) return `column "${name}" does not exist there`;
  if (form != null) {
    // Between engines, and through what carries changes between them, types have other names; what counts is the form.
    const isRead = found.encodings[pair] === encoding && found.portable?.natural.includes(form) === true;
    return isRead ? null : `column "${name}" is ${found.type} there, and ${form} (${type}) in the log`;
  }
  if (withoutModifier(found.type) !== withoutModifier(type)) {
    return `column "${name}" is ${found.type} there and ${type} in the log`;
  }
  return found.encodings[pair] === encoding ? null : `column "${name}" has another form there`;
}

/** Modifiers bound values and do not change their bytes: `numeric(12,2)`, `timestamp(3) without time zone`. */
function withoutModifier(type: string): string {
  return type.replaceAll(/\([^()]*\)/g, '');
}

function refused(problem: string): ShapeAnswer {
  return { shape: null, problem };
}
