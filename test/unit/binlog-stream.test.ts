import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { EVENT } from '../../connectors/mysql/binlog-event.ts';
import { positionOfSet } from '../../connectors/mysql/gtid.ts';
import { isSubset, parseGtidSet, unite } from '../../connectors/mysql/gtid-set.ts';
import { type AssemblerParts, LogAssembler } from '../../connectors/mysql/stream-assembler.ts';
import { LogMemory } from '../../connectors/mysql/stream-memory.ts';
import { ListPlace, SetPlace } from '../../connectors/mysql/stream-position.ts';
import { PreparedTransactions } from '../../connectors/mysql/stream-prepared.ts';
import { tableEntry } from '../../connectors/mysql/stream-table.ts';
import type { ChangeEvent } from '../../src/connector/changes.ts';
import type { TableDescription } from '../../src/connector/table.ts';
import { TwinproofError } from '../../src/errors.ts';
import { EventBatch } from '../../src/row/event-batch.ts';
import { times } from './property-runs.ts';
import {
  eventBytes,
  FORMAT,
  formatEvent,
  mariadbGtidEvent,
  queryEvent,
  rotateEvent,
  TABLE_MAP_OF_T,
  writeRowsEvent,
  XID_EVENT,
} from './binlog-events.ts';

const UUIDS = ['00112233-4455-6677-8899-aabbccddeeff', 'ffeeddcc-bbaa-9988-7766-554433221100'];
const SOURCES = [...UUIDS, `${UUIDS[0]}:red`];

function codeOrAnswer(add: () => boolean): unknown {
  try {
    return add();
  } catch (error) {
    return error instanceof TwinproofError ? error.code : error;
  }
}

describe('the place of a stream', () => {
  const numbers = fc.array(fc.tuple(fc.constantFrom(...SOURCES), fc.integer({ min: 1, max: 20 })), {
    maxLength: 40,
  });

  test('is the text of everything that it brought, in whatever order', () => {
    fc.assert(
      fc.property(numbers, (gtids) => {
        const start = parseGtidSet(`${UUIDS[1]}:1-3`);
        const place = new SetPlace(start);
        let set = start;
        for (const [source, number] of gtids) {
          const one = new Map([[source, [[BigInt(number), BigInt(number)] as const]]]);
          const add = (): boolean =>
            place.add({ kind: 'mysql', source, number: BigInt(number), digits: String(number) });
          // One that it has comes only where the log was begun anew.
          expect(codeOrAnswer(add)).toBe(isSubset(one, set) ? 'TP-GAP' : true);
          set = unite(set, one);
          expect(place.position).toBe(positionOfSet(set));
        }
      }),
      { numRuns: times(60) },
    );
  });
});

const DESCRIPTION: TableDescription = {
  name: 'db.t',
  schema: 'db',
  table: 't',
  columns: [
    {
      name: 'id',
      type: 'int',
      baseType: 'int',
      encodings: { physical: null, logical: 'mysql-binary', 'cross-engine': null },
    },
  ],
  key: ['id'],
  keyOrder: 'portable',
  clustered: true,
  rowsEstimate: 0,
  bytesEstimate: 0,
  fingerprint: '',
  obstacle: null,
  handle: {
    qualifiedName: '`db`.`t`',
    columns: [
      {
        name: 'id',
        quotedName: '`id`',
        columnType: 'int',
        type: { kind: 'integer', unsigned: false, characterSet: null, collation: null },
      },
    ],
    key: null,
  },
};

/** Takes events of MariaDB, of a server without foreign keys whose one table is `db.t`. */
class Log {
  readonly batch = new EventBatch();
  readonly assembler: LogAssembler;
  #seen = false;

  constructor(memory = new LogMemory(), own = false) {
    const parts: AssemblerParts = {
      batch: this.batch,
      place: new ListPlace(new Map()),
      prepared: new PreparedTransactions(),
      originOf: () => null,
      own,
      tellsCascades: false,
      memory,
      stands: () => Promise.resolve(),
      catalog: {
        database: 'db',
        storedName: (written) => written,
        resolve: (map) => {
          const known = this.#seen;
          this.#seen = true;
          const definition = { id: 'db.t', leaf: 'db.t', fingerprint: 'f', description: DESCRIPTION };
          return Promise.resolve({ ...tableEntry(map, definition, 'logical'), known });
        },
        current: () => Promise.resolve(null),
        cascadesOf: () => Promise.resolve({ onDelete: [], onUpdate: null }),
        forget: () => undefined,
        withBelow: (leaves) => Promise.resolve(leaves),
      },
    };
    this.assembler = new LogAssembler(parts);
  }

  async take(...events: readonly Uint8Array[]): Promise<string[]> {
    for (const event of events) await this.assembler.take(event);
    return this.batch.take().map(short);
  }

  /** Of events that stand among other bytes, as they do in what came. */
  async takeAmong(others: Uint8Array, ...events: readonly Uint8Array[]): Promise<string[]> {
    for (const event of events) {
      const sent = Buffer.concat([others, event, others]);
      await this.assembler.take(sent, others.length, others.length + event.length);
    }
    return this.batch.take().map(short);
  }
}

function short(event: ChangeEvent): string {
  switch (event.type) {
    case 'commit':
    case 'idle':
      return `${event.type} ${event.position}`;
    case 'insert':
      return `insert ${Buffer.from(event.key ?? []).toString('hex')}`;
    case 'gap':
      return `gap ${event.tables?.join() ?? 'everything'}`;
    default:
      return event.type;
  }
}

describe('the events of a log', () => {
  const begin = [rotateEvent('log.000001'), FORMAT];

  test('become transactions', async () => {
    const log = new Log();
    expect(
      await log.take(...begin, mariadbGtidEvent(1), TABLE_MAP_OF_T, writeRowsEvent(1, 258), XID_EVENT),
    ).toEqual([
      'begin',
      'definition',
      'insert 0000000401000000',
      'insert 0000000402010000',
      'commit mariadb:0-1-1',
    ]);
  });

  test('of a transaction that a crash cut off end the stream, and the next one passes over them', async () => {
    const memory = new LogMemory();
    const cutOff = [...begin, mariadbGtidEvent(1, { next: 500 }), TABLE_MAP_OF_T, writeRowsEvent(1)];
    const anew = [
      rotateEvent('log.000002'),
      formatEvent(1_700_000_001),
      mariadbGtidEvent(1, { next: 500 }),
      TABLE_MAP_OF_T,
      writeRowsEvent(2),
      XID_EVENT,
    ];
    await expect(new Log(memory).take(...cutOff, ...anew)).rejects.toMatchObject({
      code: 'TP-CONNECTION-LOST',
      retryable: true,
    });
    expect(await new Log(memory).take(...cutOff, ...anew)).toEqual([
      'begin',
      'definition',
      'insert 0000000402000000',
      'commit mariadb:0-1-1',
    ]);
    // A log that was begun anew gives its files the same names.
    const other = [rotateEvent('log.000001'), formatEvent(0, { timestamp: 1_700_000_600 })];
    expect(await new Log(memory).take(...other, ...cutOff.slice(2), XID_EVENT)).toEqual([
      'begin',
      'definition',
      'insert 0000000401000000',
      'commit mariadb:0-1-1',
    ]);
  });

  test('that go on in a new file without a restart belong to nothing that is cut off', async () => {
    const log = new Log();
    expect(
      await log.take(
        ...begin,
        mariadbGtidEvent(1, { standalone: true }),
        queryEvent('db', 'FLUSH TABLES'),
        rotateEvent('log.000002'),
        FORMAT,
      ),
    ).toEqual(['idle mariadb:0-1-1']);
  });

  test('with numbers that go back are a gap on a primary, and none in the log of a replica', async () => {
    const twice = [...begin, mariadbGtidEvent(7), XID_EVENT, mariadbGtidEvent(7, { serverId: 2 }), XID_EVENT];
    expect(await new Log().take(...twice)).toEqual([
      'idle mariadb:0-1-7',
      'gap everything',
      'idle mariadb:0-2-7',
    ]);
    expect(await new Log(new LogMemory(), true).take(...twice)).toEqual(['idle mariadb:0-2-7']);
  });

  test('are a gap where the server says that it lost some', async () => {
    expect(
      await new Log().take(...begin, mariadbGtidEvent(1), eventBytes(26, Buffer.from([1, 0, 0])), XID_EVENT),
    ).toEqual(['gap everything', 'idle mariadb:0-1-1']);
  });

  test('of a type that is not known end the stream, unless they may be passed over', async () => {
    const unknown = (flags: number): Uint8Array => eventBytes(99, Buffer.alloc(4), { flags });
    expect(await new Log().take(...begin, mariadbGtidEvent(1), unknown(0x80), XID_EVENT)).toEqual([
      'idle mariadb:0-1-1',
    ]);
    await expect(new Log().take(...begin, mariadbGtidEvent(1), unknown(0))).rejects.toMatchObject({
      code: 'TP-STREAM-PROTOCOL',
    });
    await expect(new Log().take(...begin, writeRowsEvent(1))).rejects.toMatchObject({
      code: 'TP-STREAM-PROTOCOL',
    });
  });

  test('that are cut off anywhere are refused as such, or are whole without what is missing', async () => {
    const whole = [
      mariadbGtidEvent(1),
      TABLE_MAP_OF_T,
      writeRowsEvent(1, 2),
      queryEvent('db', 'TRUNCATE t'),
      XID_EVENT,
    ];
    const codes = new Set<string>();
    for (const [index, event] of whole.entries()) {
      for (let length = 0; length < event.length - 23; length += 1) {
        const cut = eventBytes(event[4] ?? 0, event.subarray(19, 19 + length));
        const events = [...begin, ...whole.slice(0, index), cut];
        const alone = await outcomeOf(new Log().take(...events));
        codes.add(typeof alone === 'string' ? alone : 'none');
        // Ten bytes, then five for each row.
        const isWhole = event[4] !== EVENT.writeRowsV1 || (length >= 10 && length % 5 === 0);
        expect(isWhole || typeof alone === 'string').toBe(true);
        // What follows in memory, be it the very bytes that are missing, is not the event's.
        expect(await outcomeOf(new Log().takeAmong(event.subarray(19 + length), ...events))).toEqual(alone);
      }
    }
    expect([...codes].toSorted()).toEqual(['TP-STREAM-PROTOCOL', 'none']);
  });
});

/** What came, or the code of the error. */
function outcomeOf(events: Promise<string[]>): Promise<string[] | string> {
  return events.catch((error: unknown) => codeOf(error));
}

function codeOf(error: unknown): string {
  return error instanceof TwinproofError ? error.code : String(error);
}
