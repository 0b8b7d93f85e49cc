import { afterAll, beforeAll, expect, test } from 'vitest';
import { ReaderPool } from '../../connectors/mysql/pool.ts';
import { BodySink } from '../../src/row/body-sink.ts';
import { fieldsOf } from '../../src/row/stream.ts';
import { type Follower, isRowChange } from './harness/change-stream.ts';
import { typeCases } from './harness/mysql-column-cases.ts';
import { createMysqlServer, type MysqlServer } from './harness/mysql-server.ts';
import { followMysql, nextChanges, STREAMED, targetOf } from './harness/mysql-stream.ts';
import { describeMysql } from './harness/mysql-suite.ts';
import { forever } from './harness/mysql-wire-reads.ts';

const DATABASE = 'bank';
const TYPES_A_TABLE = 16;

/** Fields of rows as hexadecimal text. */
type Rows = readonly (readonly string[])[];

interface Case {
  readonly type: string;
  readonly values: readonly string[];
  readonly table: string;
  /** Its two columns are the fields behind the key from here on. */
  readonly at: number;
}

function casesOf(
  types: readonly (readonly [type: string, values: readonly string[], ...unknown[]])[],
): Case[] {
  return types.map(([type, values], n) => ({
    type,
    values,
    table: `many${Math.trunc(n / TYPES_A_TABLE)}`,
    at: 1 + 2 * (n % TYPES_A_TABLE),
  }));
}

await describeMysql(
  'on %s a row in the log has the bytes of the row that is read, with columns of type',
  (flavor) => {
    const cases = casesOf([
      ...typeCases(flavor),
      ['decimal(9,3) unsigned zerofill', ['1.5', '0', '123456.789']],
      ['decimal(65,0)', ['-1', `-${'9'.repeat(65)}`, '1000000000']],
      ['decimal(30,30)', ['0.5', '-1e-30']],
      ['time(3)', [`'-00:00:00.001'`, `'-838:59:58.999'`, `'00:00:01.010'`]],
      ['time(1)', [`'-00:00:59.9'`, `'01:00:00.1'`]],
      ['datetime(4)', [`'1000-01-01 00:00:00.0001'`, `'9999-12-31 23:59:59.9999'`]],
      ['timestamp(2) NULL', [`'2038-01-19 03:14:07.99'`, `'2000-02-29 23:59:59.01'`]],
      ['char(200) CHARACTER SET utf8mb4', [`repeat('서', 200)`, `'a'`]],
      ['varchar(255) CHARACTER SET latin1', [`repeat('x', 255)`, `''`]],
      ['varchar(256) CHARACTER SET latin1', [`repeat('x', 256)`, `'y'`]],
      [`enum('a','ß') CHARACTER SET utf16`, [`'ß'`, `'a'`]],
      [`set('a','ß','c') CHARACTER SET utf16`, [`'a,ß,c'`, `'ß'`]],
      ['tinyblob', [`x'00'`, `repeat(x'ff', 255)`]],
      ['binary(255)', [`x'00'`, `concat(x'20', repeat(x'00', 200), x'01')`]],
    ]);
    const tables = [...new Set(cases.map(({ table }) => table))];
    const columns = (table: string): readonly Case[] => cases.filter((each) => each.table === table);
    const names = (table: string): string =>
      columns(table)
        .map(({ at }) => `v${at}, w${at}`)
        .join(', ');
    const rowsOf = (table: string): number =>
      1 + Math.max(...columns(table).map(({ values }) => values.length));
    let server: MysqlServer;
    let pool: ReaderPool;
    let follower: Follower;
    const inserted = new Map<string, Rows>();
    const updated = new Map<string, Rows>();
    /** What the log had, by table and kind of change and image. */
    const logged = new Map<string, string[][]>();

    async function readAll(into: Map<string, Rows>): Promise<void> {
      for (const table of tables) {
        const sink = new BodySink(Infinity);
        const sql = `SELECT id, ${names(table)} FROM ${table} ORDER BY id`;
        const operations = Array<'copy'>(1 + 2 * columns(table).length).fill('copy');
        await pool.read({ sql, parameters: [], operations }, sink, forever());
        into.set(table, sink.bodies.map(hex));
      }
    }

    /** A value for each case, NULL where it has no more; the second column begins with the first value. */
    function insertion(table: string): string {
      const rows = Array.from({ length: rowsOf(table) }, (_, id) => {
        const values = columns(table).map(
          (each) => `${each.values[id] ?? 'NULL'}, ${each.values[0] ?? 'NULL'}`,
        );
        return `(${id}, ${values.join(', ')})`;
      });
      return `INSERT INTO ${table} (id, ${names(table)}) VALUES ${rows.join(', ')};`;
    }

    beforeAll(async () => {
      server = await createMysqlServer({ flavor, settings: STREAMED });
      await server.sql(`CREATE DATABASE ${DATABASE}`);
      const run = (sql: (table: string) => string): Promise<unknown> =>
        server.sql(`SET sql_mode = ''; ${tables.map(sql).join('\n')}`, [], DATABASE);
      await run((table) => {
        const defined = columns(table).map(({ type, at }) => `v${at} ${type}, w${at} ${type}`);
        return `CREATE TABLE ${table} (id int PRIMARY KEY, ${defined.join(', ')});`;
      });
      await server.sql('CREATE TABLE done (id int PRIMARY KEY)', [], DATABASE);
      pool = new ReaderPool(targetOf(server, DATABASE), 1, 60_000);
      follower = await followMysql(server, DATABASE);
      await follower.batch();
      await run(insertion);
      await readAll(inserted);
      await run((table) => {
        const set = columns(table).map(({ at }) => `w${at} = v${at}`);
        return `UPDATE ${table} SET ${set.join(', ')} ORDER BY id;`;
      });
      await readAll(updated);
      await run((table) => `DELETE FROM ${table} ORDER BY id;`);
      await server.sql('INSERT INTO done VALUES (1)', [], DATABASE);
      for (let done = false; !done;) {
        for (const { table, type, before, after } of (await follower.transaction()).events.filter(
          isRowChange,
        )) {
          const name = table.leaf.slice(DATABASE.length + 1);
          done ||= name === 'done';
          keep(`${name} ${type} before`, before);
          keep(`${name} ${type} after`, after);
        }
      }
    });
    afterAll(async () => {
      await pool?.close();
      await follower?.stream.close();
      await server?.destroy();
    });

    function keep(name: string, body: Uint8Array | null): void {
      if (body !== null) logged.set(name, [...(logged.get(name) ?? []), hex(body)]);
    }

    test.each(cases)('$type', ({ table, at }) => {
      const own = (rows: Rows | undefined): string[] =>
        (rows ?? []).map((fields) => fields.slice(at, at + 2).join(' '));
      const [first, last] = [own(inserted.get(table)), own(updated.get(table))];
      expect(first).toHaveLength(rowsOf(table));
      expect(own(logged.get(`${table} insert after`))).toEqual(first);
      // The first row is not changed: both of its columns are the same.
      expect(own(logged.get(`${table} update before`))).toEqual(first.slice(1));
      expect(own(logged.get(`${table} update after`))).toEqual(last.slice(1));
      expect(own(logged.get(`${table} delete before`))).toEqual(last);
      expect(new Set(last).size).toBeGreaterThan(1);
    });

    test('that are generated or invisible', async () => {
      await server.sql(
        `CREATE TABLE g (id int PRIMARY KEY, a int, s int GENERATED ALWAYS AS (a + 1) STORED,
         v int GENERATED ALWAYS AS (a + 2) VIRTUAL, i int INVISIBLE, KEY (v));
       INSERT INTO g (id, a, i) VALUES (1, 1, 9); UPDATE g SET a = 5;`,
        [],
        DATABASE,
      );
      const name = `${DATABASE}.g`;
      expect(await nextChanges(follower)).toEqual([
        `definition ${name}(id,a,s,v,i)`,
        `insert ${name} 1 [1|1|2|3|9]`,
      ]);
      expect(await nextChanges(follower)).toEqual([`update ${name} 1 [1|1|2|3|9] [1|5|6|7|9]`]);
    });

    test('beside those that the server makes for an index, which nobody sees', async () => {
      const index = flavor === 'mysql' ? 'KEY ((length(a))), KEY ((id + 1), b(9))' : 'UNIQUE (a), UNIQUE (b)';
      await server.sql(
        `CREATE TABLE x (id int PRIMARY KEY, a varchar(2000), b text, ${index});
       INSERT INTO x VALUES (1, 'one', 'two'); UPDATE x SET a = 'three'`,
        [],
        DATABASE,
      );
      const name = `${DATABASE}.x`;
      expect(await nextChanges(follower)).toEqual([
        `definition ${name}(id,a,b)`,
        `insert ${name} 1 [1|one|two]`,
      ]);
      expect(await nextChanges(follower)).toEqual([`update ${name} 1 [1|one|two] [1|three|two]`]);
    });

    test.each(flavor === 'mysql' ? [flavor] : [])('%s: in documents of JSON', async () => {
      const numbers = Array.from(
        { length: 400 },
        (_, n) => (n % 2 === 0 ? 1 : -1) * 1.0000001 ** (n * 7919) * 10 ** ((n % 60) - 30),
      );
      const documents = [
        ...DOCUMENTS,
        `JSON_ARRAY(${numbers.map((number) => number.toExponential()).join(', ')})`,
        String.raw`CAST(CONCAT('{"k', REPEAT('y', 300), '": [', REPEAT('{"a": "é\\u0001"}, ', 6000), 'null]}') AS JSON)`,
      ];
      await server.sql('CREATE TABLE j (id int PRIMARY KEY, v json)', [], DATABASE);
      const rows = documents.map((document, id) => `(${id}, ${document})`);
      await server.sql(`INSERT INTO j VALUES ${rows.join(', ')}`, [], DATABASE);
      const sink = new BodySink(Infinity);
      await pool.read(
        { sql: 'SELECT id, v FROM j ORDER BY id', parameters: [], operations: ['copy', 'copy'] },
        sink,
        forever(),
      );
      const { events } = await follower.transaction();
      const texts = events.flatMap((event) =>
        isRowChange(event) && event.after !== null ? [text(event.after)] : [],
      );
      expect(texts).toEqual(sink.bodies.map(text));
    });

    test.each(flavor === 'mariadb' ? [flavor] : [])('%s: in the old form of dates and times', async () => {
      await server.set({ mysql56_temporal_format: 'OFF' });
      await server.sql(
        `CREATE TABLE o (id int PRIMARY KEY, t time, d datetime, s timestamp NULL); CREATE TABLE p (id int PRIMARY KEY, t time(6));`,
        [],
        DATABASE,
      );
      await server.set({ mysql56_temporal_format: 'ON' });
      await server.sql(
        `INSERT INTO o VALUES (1, '-838:59:59', '9999-12-31 23:59:58', '2026-01-02 03:04:05'), (2, '00:00:00', '2024-02-03', NULL);
       INSERT INTO p VALUES (1, '00:00:01.5')`,
        [],
        DATABASE,
      );
      const sink = new BodySink(Infinity);
      const sql = 'SELECT id, t, d, s FROM o ORDER BY id';
      await pool.read({ sql, parameters: [], operations: ['copy', 'copy', 'copy', 'copy'] }, sink, forever());
      const { events } = await follower.transaction();
      const rows = events.flatMap((event) =>
        isRowChange(event) && event.after !== null ? [hex(event.after)] : [],
      );
      expect(rows).toEqual(sink.bodies.map(hex));
      // Where the log does not say how long a value is nothing is guessed.
      expect(await nextChanges(follower)).toEqual([
        `definition ${DATABASE}.p()`,
        `insert ${DATABASE}.p no key`,
      ]);
    });
  },
);

const text = (body: Uint8Array): string => Buffer.from(fieldsOf(body)[1] ?? []).toString('utf8');

/** Of every type that a value of JSON can have, at the edges of those. */
const DOCUMENTS: readonly string[] = [
  'null',
  'true',
  'false',
  '{}',
  '[]',
  '""',
  '0',
  '-1',
  '32767',
  '32768',
  '-32769',
  '65535',
  '65536',
  '2147483647',
  '-2147483649',
  '4294967296',
  '9223372036854775807',
  '-9223372036854775808',
  '18446744073709551615',
  '1.0',
  '-0.0',
  '1e15',
  '123456789012345.6',
  '1e-14',
  '1.5e-15',
  '1e-16',
  '1e308',
  '5e-324',
  '0.1',
  '100000.5',
  String.raw`"q\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\\u001f\\u007f 서울 \\ud83d\\ude00"`,
  '[1, [2, [3, {"b": null, "aa": {}, "a": []}]]]',
]
  .map((document) => `'${document}'`)
  .concat([
    'JSON_ARRAY(CAST(1.10 AS DECIMAL(10, 3)), CAST(-0.5 AS DECIMAL(65, 30)), 0.00)',
    `JSON_ARRAY(DATE'2024-02-29', TIME'-838:59:59', TIME'00:00:01.5', TIMESTAMP'9999-12-31 23:59:59.999999', TIMESTAMP'1000-01-01 00:00:00')`,
    `JSON_OBJECT('b', CAST(x'00ff' AS BINARY), 'l', CAST(REPEAT('a', 300) AS BINARY), 'bit', b'101', 'y', CAST(2024 AS YEAR))`,
    'JSON_ARRAY(CAST(0.1 AS FLOAT), CAST(16777217 AS DOUBLE), PI())',
    `JSON_OBJECT('p', ST_GeomFromText('POINT(1 2)'))`,
    `CAST(CAST('2024-01-01' AS DATETIME(3)) AS JSON)`,
    `CAST(CAST(7 AS UNSIGNED) AS JSON)`,
  ]);

function hex(body: Uint8Array): string[] {
  return fieldsOf(body).map((field) => (field === null ? 'NULL' : Buffer.from(field).toString('hex')));
}
