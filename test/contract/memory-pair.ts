import { positionAt } from '../../connectors/memory/commit-log.ts';
import type { TableSpec } from '../../connectors/memory/heap-table.ts';
import { createMemoryPair } from '../../connectors/memory/pair.ts';
import { toField } from '../../connectors/memory/value.ts';
import { frameFields } from '../../src/row/stream.ts';
import type { ColumnValues, ContractPair, ContractTable, TableName } from './pair.ts';

/** The simulated pair for the contract checks; the candidate applies only in `caughtUp`. */
export function makeMemoryPair(kind: 'physical' | 'logical'): ContractPair {
  const pair = createMemoryPair({ kind, tables: [], seed: 20_221_015 });
  const { world } = pair;
  const matching = (name: string, match: ColumnValues): number[] => {
    const table = world.primary.table(name);
    const wanted = Object.entries(match).map(([column, value]) => {
      const at = table.columnIndex(column);
      return { at, bytes: frameFields([toField(value, table.columns[at]?.type ?? 'bytea')]) };
    });
    return table
      .placedRows()
      .filter(({ row }) =>
        wanted.every(({ at, bytes }) => Buffer.compare(frameFields([row.fields[at] ?? null]), bytes) === 0),
      )
      .map(({ slot }) => slot);
  };
  return {
    kind,
    primary: pair.primary,
    candidate: pair.candidate,
    unrelated: createMemoryPair({ kind, tables: [], seed: 7 }).primary,
    foreignPosition: positionAt('elsewhere', 3),
    connect: (site) => Promise.resolve(pair.connect(site)),
    createTable: async (table) => world.addTable(specOf(table)),
    addColumn: async (table, column, type) => {
      const change = {
        kind: 'addColumn',
        table: nameOf(table),
        column: { name: column, type },
        value: null,
      } as const;
      world.alterPrimary(change);
      if (kind === 'logical') world.alterCandidate(change);
    },
    insert: async (table, rows) =>
      world.write((transaction) => {
        for (const row of rows) demand(transaction.insert(nameOf(table), row) !== null);
      }),
    update: async (table, match, set) =>
      world.write((transaction) => {
        for (const slot of matching(nameOf(table), match)) {
          demand(transaction.update(nameOf(table), slot, set) !== null);
        }
      }),
    remove: async (table, match) =>
      world.write((transaction) => {
        for (const slot of matching(nameOf(table), match)) demand(transaction.delete(nameOf(table), slot));
      }),
    beginInsert: async (table, row) => {
      const transaction = world.begin();
      demand(transaction.insert(nameOf(table), row) !== null);
      return async () => transaction.rollback();
    },
    caughtUp: async () => world.applyAll(),
    openReads: async () => world.primary.openReads + world.candidate.openReads,
    dispose: async () => {
      await pair.primary.close();
      await pair.candidate.close();
    },
  };
}

function nameOf(table: TableName): string {
  return `${table.schema}.${table.table}`;
}

function specOf(table: ContractTable): TableSpec {
  return { name: nameOf(table), columns: table.columns, key: table.key, rows: table.rows };
}

function demand(done: boolean): void {
  if (!done) throw new Error('the write was refused');
}
