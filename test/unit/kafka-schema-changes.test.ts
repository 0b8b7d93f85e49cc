import { describe, expect, it } from 'vitest';
import type { RecordSource } from '../../connectors/kafka/record-source.ts';
import { readSchemaChange, SchemaChanges } from '../../connectors/kafka/schema-changes.ts';

const MS = 1_700_000_000_000;

interface Stated {
  readonly ddl: string;
  readonly tables?: readonly string[];
  readonly snapshot?: string;
  readonly pos?: number;
  readonly ms?: number;
}

function record({ ddl, tables = [], snapshot = 'false', pos = 500, ms = MS }: Stated): Buffer {
  return Buffer.from(
    JSON.stringify({
      source: { connector: 'mysql', db: 'bank', snapshot, ts_ms: ms, file: 'binlog.000004', pos, row: 0 },
      ts_ms: ms,
      databaseName: 'bank',
      schemaName: null,
      ddl,
      tableChanges: tables.map((table) => ({ type: 'ALTER', id: `"bank"."${table}"`, table: null })),
    }),
  );
}

function snapshotAt(pos: bigint, ms: number): RecordSource {
  return {
    engine: 'mysql',
    origin: 'p',
    table: 'bank.a',
    snapshot: true,
    snapshotMark: 'within',
    transaction: null,
    timeUs: BigInt(ms) * 1000n,
    place: [4n, pos << 32n],
  };
}

function voided(stated: Stated, snapshot: RecordSource | null = null): readonly string[] {
  const changes = new SchemaChanges(() => ['bank.a', 'bank.b', 'other.c']);
  if (snapshot !== null) changes.snapshot('bank.a', snapshot);
  const change = readSchemaChange(record(stated));
  if (change === null) throw new Error('it cannot be read');
  return changes.voidedBy(change);
}

describe('a statement that redefined tables', () => {
  it('voids the tables that it names and that are read', () => {
    const ddl = 'ALTER TABLE a MODIFY x bigint';
    expect(voided({ ddl, tables: ['a', 'unread'] })).toEqual(['bank.a']);
  });

  it('voids all of its database when it names none', () => {
    expect(voided({ ddl: 'DROP DATABASE bank' })).toEqual(['bank.a', 'bank.b']);
  });

  it('voids the table that had another name before', () => {
    expect(voided({ ddl: 'RENAME TABLE bank.b TO bank.z', tables: ['z'] })).toEqual(['bank.b']);
    expect(voided({ ddl: 'ALTER TABLE `A` RENAME TO `z`', tables: ['z'] })).toEqual(['bank.a']);
  });

  it('voids nothing when it can change no row', () => {
    expect(voided({ ddl: 'CREATE INDEX i ON a (x)', tables: ['a'] })).toEqual([]);
    expect(voided({ ddl: 'DROP INDEX i ON a', tables: ['a'] })).toEqual([]);
    expect(voided({ ddl: 'CREATE INDEX i ON a (x); TRUNCATE a', tables: ['a'] })).toEqual(['bank.a']);
  });

  it('voids nothing when a snapshot read it', () => {
    expect(voided({ ddl: 'CREATE TABLE a (x int)', tables: ['a'], snapshot: 'true' })).toEqual([]);
  });

  it('voids nothing that a later snapshot has told anew: later in the log, and by the clock', () => {
    const stated = { ddl: 'ALTER TABLE a ADD y int', tables: ['a'] };
    expect(voided(stated, snapshotAt(600n, MS + 1000))).toEqual([]);
    expect(voided(stated, snapshotAt(400n, MS + 1000))).toEqual(['bank.a']);
    // Another server may have smaller places.
    expect(voided(stated, snapshotAt(600n, MS - 1000))).toEqual(['bank.a']);
  });

  it('is read with its schema, and is nothing when it is something else', () => {
    const bare = record({ ddl: 'DROP TABLE a', tables: ['a'] });
    const wrapped = Buffer.from(`{"schema":{"type":"struct"},"payload":${bare.toString()}}`);
    expect(readSchemaChange(wrapped)).toEqual(readSchemaChange(bare));
    expect(readSchemaChange(Buffer.from('{"ddl":1}'))).toBeNull();
  });
});
