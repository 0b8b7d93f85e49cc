import type { StreamedTable } from '../../src/connector/changes.ts';
import type { LoggedStatement } from './binlog-query.ts';
import { meaningOf } from './binlog-statement.ts';
import type { StatementTable } from './binlog-words.ts';
import type { Group } from './stream-group.ts';
import type { PreparedTransactions } from './stream-prepared.ts';

export interface StatementParts {
  readonly prepared: PreparedTransactions;
  readonly own: boolean;
  readonly catalog: {
    readonly database: string;
    storedName(written: string): string | null;
    current(leaf: string): Promise<{ readonly table: StreamedTable; readonly known: boolean } | null>;
    forget(leaves: readonly string[] | null): void;
    withBelow(leaves: readonly string[]): Promise<readonly string[]>;
  };
}

/** Takes statements of the log into the transaction that they belong to. */
export class StatementReader {
  readonly #parts: StatementParts;
  /** What was found out about tables counts no more. */
  readonly #onRedefined: () => void;

  constructor(parts: StatementParts, onRedefined: () => void) {
    this.#parts = parts;
    this.#onRedefined = onRedefined;
  }

  /** True: it ends the transaction. */
  async take(statement: LoggedStatement, group: Group): Promise<boolean> {
    const meaning = meaningOf(statement.text, statement.schema);
    const { prepared } = this.#parts;
    switch (meaning.kind) {
      case 'begin':
        group.inTransaction = true;
        return false;
      case 'commit':
        return true;
      case 'rollback':
        group.undone('a transaction of tables without transactions was rolled back');
        return true;
      case 'rollback to savepoint':
        group.undone('a part of a transaction was rolled back');
        return false;
      case 'xa start':
        group.inTransaction = true;
        group.xid = meaning.xid;
        prepared.begin(meaning.xid);
        return false;
      case 'xa commit':
        group.release(meaning.xid);
        return true;
      case 'xa rollback':
        prepared.take(meaning.xid);
        return true;
      case 'truncate':
        await this.#truncate(statement, meaning.tables, group);
        return false;
      case 'redefine':
        await this.#redefine(statement, meaning.tables, meaning.foreign === true, group);
        return false;
      case 'drop database': {
        const { database } = this.#parts.catalog;
        const ours = !statement.certain || (this.#stored(meaning.schema) ?? database) === database;
        if (ours) await this.#redefine(statement, null, false, group);
        return false;
      }
      case 'define':
        this.#forget(this.#ours(statement, meaning.tables));
        return false;
      case 'unseen':
        group.gap(`the log holds a statement (${meaning.verb}) in place of the rows that it changed`, null);
        return false;
      default:
        return false;
    }
  }

  /** The tables of the database that is streamed; null: all of them may be meant. */
  #ours(statement: LoggedStatement, tables: readonly StatementTable[] | null): readonly string[] | null {
    if (tables === null || !statement.certain) return null;
    const { database } = this.#parts.catalog;
    const leaves: string[] = [];
    for (const { schema, table } of tables) {
      const [where, name] = [this.#stored(schema), this.#stored(table)];
      if (where !== null && where !== database) continue;
      if (where === null || name === null) return null;
      leaves.push(`${where}.${name}`);
    }
    return leaves;
  }

  #stored(written: string): string | null {
    return this.#parts.catalog.storedName(written);
  }

  async #truncate(
    statement: LoggedStatement,
    tables: readonly StatementTable[],
    group: Group,
  ): Promise<void> {
    const leaves = this.#ours(statement, tables);
    if (leaves === null) group.gap('a table was emptied whose name is not certain', null);
    for (const leaf of leaves ?? []) {
      const found = await this.#parts.catalog.current(leaf);
      // Not followed, or dropped since.
      if (found === null) continue;
      if (!found.known) group.push({ type: 'definition', table: found.table });
      group.push({ type: 'truncate', tables: [found.table] });
    }
  }

  async #redefine(
    statement: LoggedStatement,
    tables: readonly StatementTable[] | null,
    foreign: boolean,
    group: Group,
  ): Promise<void> {
    const leaves = this.#ours(statement, tables);
    if (leaves?.length === 0) return;
    const told = !(this.#parts.own && group.origin !== null);
    if (told) {
      const all = leaves === null || !foreign ? leaves : await this.#parts.catalog.withBelow(leaves);
      group.gap('a statement redefined it', all);
    }
    this.#forget(leaves);
  }

  #forget(leaves: readonly string[] | null): void {
    if (leaves?.length === 0) return;
    this.#parts.catalog.forget(leaves);
    this.#onRedefined();
  }
}
