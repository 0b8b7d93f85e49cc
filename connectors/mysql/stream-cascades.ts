import type { Session } from './session.ts';

/**
 * Rows of other tables that change with a row through foreign keys. InnoDB changes them below the log: MariaDB, and
 * MySQL before 9.6, write nothing of it (MySQL manual, "FOREIGN KEY Constraints"; MariaDB knowledge base, "Foreign
 * Keys").
 */
export interface Cascade {
  /** Tables below, `schema.table`, however far down. */
  readonly tables: readonly string[];
  /** The columns that the keys refer to; only another value in one of them has consequences. */
  readonly columns: readonly string[];
}

export interface Cascades {
  readonly onDelete: readonly string[];
  readonly onUpdate: Cascade | null;
}

interface ForeignKey {
  readonly parent: string;
  readonly child: string;
  readonly updates: boolean;
  readonly deletes: boolean;
  readonly columns: readonly string[];
}

type KeyRow = Readonly<
  Record<'name' | 'child' | 'parentSchema' | 'parent' | 'updates' | 'deletes' | 'column', string>
>;

const NONE: Cascades = { onDelete: [], onUpdate: null };

/** The foreign keys of the connected database that change rows. */
export class CascadeMap {
  readonly #children = new Map<string, ForeignKey[]>();

  static async read(session: Session, signal: AbortSignal): Promise<CascadeMap> {
    const rows = await session.rows<KeyRow>(
      `select r.constraint_name as \`name\`, concat(r.constraint_schema, '.', r.table_name) as \`child\`,
         k.referenced_table_schema as \`parentSchema\`, k.referenced_table_name as \`parent\`,
         r.update_rule as \`updates\`, r.delete_rule as \`deletes\`, k.referenced_column_name as \`column\`
       from information_schema.referential_constraints r
       join information_schema.key_column_usage k on k.constraint_schema = r.constraint_schema
         and k.constraint_name = r.constraint_name and k.table_name = r.table_name
       where r.constraint_schema = database() and k.table_schema = database()
       order by r.table_name, r.constraint_name, k.ordinal_position`,
      [],
      signal,
    );
    const keys = new Map<string, ForeignKey>();
    for (const row of rows) {
      const name = `${row.child} ${row.name}`;
      keys.set(name, {
        parent: `${row.parentSchema}.${row.parent}`,
        child: row.child,
        updates: actsOn(row.updates),
        deletes: actsOn(row.deletes),
        columns: [...(keys.get(name)?.columns ?? []), row.column],
      });
    }
    return new CascadeMap([...keys.values()]);
  }

  constructor(keys: readonly ForeignKey[]) {
    for (const key of keys) {
      if (!key.updates && !key.deletes) continue;
      this.#children.set(key.parent, [...(this.#children.get(key.parent) ?? []), key]);
    }
  }

  /** What follows from changes of a table. Tables further down count whatever their keys do: rather one too many. */
  of(leaf: string): Cascades {
    const children = this.#children.get(leaf);
    if (children === undefined) return NONE;
    const updating = children.filter(({ updates }) => updates);
    const columns = [...new Set(updating.flatMap((key) => key.columns))];
    return {
      onDelete: this.#below(children.filter(({ deletes }) => deletes)),
      onUpdate: updating.length === 0 ? null : { tables: this.#below(updating), columns },
    };
  }

  /** All tables below, by whatever key. */
  below(leaf: string): readonly string[] {
    return this.#below(this.#children.get(leaf) ?? []);
  }

  #below(keys: readonly ForeignKey[]): string[] {
    const found = new Set<string>();
    const open = keys.map(({ child }) => child);
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      if (found.has(next)) continue;
      found.add(next);
      open.push(...(this.#children.get(next) ?? []).map(({ child }) => child));
    }
    return [...found].sort();
  }
}

/** CASCADE, SET NULL and SET DEFAULT change rows; NO ACTION and RESTRICT refuse. */
function actsOn(rule: string): boolean {
  return rule !== 'NO ACTION' && rule !== 'RESTRICT';
}
