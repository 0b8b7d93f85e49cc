import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BodySink } from '../../src/row/body-sink.ts';
import { judgePending } from '../../connectors/postgres/commits.ts';
import { binaryArray, binaryQuery, errorFields } from '../../connectors/postgres/messages.ts';
import { addressText, foundRow, pointQueries } from '../../connectors/postgres/points.ts';
import {
  blockRanges,
  blocksPerRange,
  halveBlocks,
  keyRanges,
  rangeQuery,
  splitAt,
} from '../../connectors/postgres/ranges.ts';
import type { PostgresLeaf, PostgresTable } from '../../connectors/postgres/table.ts';
import type { Range, RowIdentity, RowShape } from '../../src/connector/contract.ts';
import { TwinproofError } from '../../src/errors.ts';
import { frameFields, frameMessage, frameRow } from '../../src/row/stream.ts';

const INT8 = { oid: 20, name: 'bigint', kind: 'b', elementOid: null };
const TID = 27;

function leaf(oid: number, name: string, blocks: number, rows: number): PostgresLeaf {
  return {
    oid,
    relfilenode: oid,
    qualifiedName: `public."${name}"`,
    name: `public.${name}`,
    only: true,
    blocks,
    toastBytes: 0,
    rowsEstimate: rows,
  };
}

function shapeOf(leaves: readonly PostgresLeaf[], identity: RowIdentity = 'key', keys = ['id']): RowShape {
  const columns = ['id', 'part', 'v'].map((name, index) => ({
    name,
    quotedName: `"${name}"`,
    attnum: index + 1,
    notNull: true,
    typeOid: INT8.oid,
    base: INT8,
  }));
  const handle: Omit<PostgresTable, 'columns'> & { columns: unknown } = {
    oid: 1,
    qualifiedName: 'public.root',
    partitioned: leaves.length > 1,
    blockSize: 8192,
    utf8: true,
    leaves,
    columns,
    keyIndex: 'public.root_pkey',
  };
  const rest = ['id', 'part', 'v'].filter((name) => !keys.includes(name));
  return {
    table: {
      name: 'public.root',
      schema: 'public',
      table: 'root',
      columns: [],
      key: keys,
      keyOrder: 'portable',
      clustered: true,
      rowsEstimate: leaves.reduce((sum, { rowsEstimate }) => sum + rowsEstimate, 0),
      bytesEstimate: 0,
      fingerprint: '',
      obstacle: null,
      handle,
    },
    identity,
    columns: [...keys, ...rest].map((name) => ({ name, encoding: 'pg-binary' })),
    keyFields: identity === 'key' ? keys.length : 1,
    pair: 'physical',
  };
}

function integer(value: number): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(BigInt(value));
  return bytes;
}

function hexKey(value: number): string {
  return Buffer.from(frameFields([integer(value)])).toString('hex');
}

function failureOf(call: () => unknown): unknown {
  try {
    call();
    return null;
  } catch (error) {
    return error instanceof TwinproofError ? error.code : error;
  }
}

const BOUNDS = { rowsMax: 1000, bytesMax: 1_000_000 };

describe('block ranges', () => {
  it.each([
    ['as many blocks as rows allow', { blocks: 100, rowsEstimate: 10_000, toastBytes: 0 }, 10],
    ['as many as bytes allow', { blocks: 1000, rowsEstimate: 10, toastBytes: 0 }, 122],
    ['fewer where values lie out of line', { blocks: 100, rowsEstimate: 100, toastBytes: 49_180_800 }, 2],
    ['at least one', { blocks: 1, rowsEstimate: 1_000_000, toastBytes: 0 }, 1],
    ['a guess for a table that was never counted', { blocks: 10, rowsEstimate: -1, toastBytes: 0 }, 16],
    ['and for an empty one', { blocks: 0, rowsEstimate: 0, toastBytes: 0 }, 16],
  ])('hold %s', (_, facts, expected) => {
    expect(blocksPerRange(facts, 8192, BOUNDS)).toBe(expected);
  });

  it('cover every block of every piece once, the last of each piece being open', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat({ max: 300 }), fc.nat({ max: 9000 })), { minLength: 1, maxLength: 4 }),
        (sizes) => {
          const leaves = sizes.map(([blocks, rows], index) => leaf(index + 10, `l${index}`, blocks, rows));
          const shape = shapeOf(leaves);
          const ranges = blockRanges(shape, handleOf(shape), { kind: 'block', ...BOUNDS });
          expect(new Set(ranges.map(({ id }) => id)).size).toBe(ranges.length);
          for (const { oid } of leaves) {
            const own = ranges.filter(({ from }) => from?.startsWith(`${oid}:`));
            expect(own[0]?.from).toBe(`${oid}:0`);
            expect(own.at(-1)?.to).toBeNull();
            expect(own.slice(1).map(({ from }) => from)).toEqual(own.slice(0, -1).map(({ to }) => to));
          }
        },
      ),
      { numRuns: 50 },
    );
  });

  it('halve down to single blocks that together are the range', () => {
    const shape = shapeOf([leaf(7, 'a', 37, 100)]);
    for (const to of ['7:37', null]) {
      const whole: Range = {
        table: 'public.root',
        kind: 'block',
        id: 'x',
        from: '7:3',
        to,
        rowsEstimate: 90,
      };
      let open = [whole];
      const done: Range[] = [];
      while (open.length > 0) {
        const next: Range[] = [];
        for (const range of open) {
          const parts = halveBlocks(shape, range, 37);
          if (parts.length === 0) done.push(range);
          else next.push(...parts);
        }
        open = next;
      }
      const starts = done.map(({ from }) => Number(from?.split(':')[1])).toSorted((a, b) => a - b);
      expect(starts).toEqual(Array.from({ length: 34 }, (_, index) => index + 3));
      expect(done.filter((range) => range.to === null)).toHaveLength(to === null ? 1 : 0);
      expect(new Set(done.map(({ id }) => id)).size).toBe(34);
    }
  });

  it('of a partition that is gone cannot be read, and the table has to be planned again', () => {
    const shape = shapeOf([leaf(7, 'a', 3, 100)]);
    const range: Range = {
      table: 'public.root',
      kind: 'block',
      id: 'x',
      from: '8:0',
      to: null,
      rowsEstimate: 1,
    };
    expect(failureOf(() => rangeQuery(shape, range))).toBe('TP-DEFINITION-CHANGED');
    expect(failureOf(() => halveBlocks(shape, range, 3))).toBe('TP-DEFINITION-CHANGED');
    expect(failureOf(() => rangeQuery(shape, { ...range, from: 'x' }))).toBe('TP-BUG');
  });

  it('read by tuple id, without a bound where there is none', () => {
    const shape = shapeOf([leaf(7, 'a', 9, 100)]);
    const range: Range = {
      table: 'public.root',
      kind: 'block',
      id: 'x',
      from: '7:2',
      to: '7:5',
      rowsEstimate: 1,
    };
    expect(rangeQuery(shape, range).sql).toContain(
      `only public."a" where ctid >= '(2,0)'::pg_catalog.tid and ctid < '(5,0)'::pg_catalog.tid`,
    );
    expect(rangeQuery(shape, { ...range, from: '7:0', to: null }).sql).not.toContain('where');
  });
});

function handleOf(shape: RowShape): PostgresTable {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- made above
  return shape.table.handle as PostgresTable;
}

describe('key ranges', () => {
  const shape = shapeOf([leaf(7, 'a', 9, 100)]);
  const bounds = [10, 20, 20, 30].map((value) => frameRow([integer(value)]));

  it('lie between bounds, each once, and are open at both ends', () => {
    const ranges = keyRanges(shape, bounds);
    expect(ranges.map(({ from, to }) => [from, to])).toEqual([
      [null, hexKey(10)],
      [hexKey(10), hexKey(20)],
      [hexKey(20), hexKey(30)],
      [hexKey(30), null],
    ]);
    expect(keyRanges(shape, [])).toMatchObject([{ from: null, to: null, rowsEstimate: 100 }]);
  });

  it('split keep the ends of the range, and are none without a cut', () => {
    const range: Range = {
      table: 'public.root',
      kind: 'key',
      id: 'x',
      from: hexKey(5),
      to: null,
      rowsEstimate: 9,
    };
    const parts = splitAt(shape, range, bounds);
    expect(parts.map(({ from, to }) => [from, to])).toEqual([
      [hexKey(5), hexKey(10)],
      [hexKey(10), hexKey(20)],
      [hexKey(20), hexKey(30)],
      [hexKey(30), null],
    ]);
    expect(new Set(parts.map(({ id }) => id)).size).toBe(4);
    expect(splitAt(shape, range, [])).toEqual([]);
  });

  it('take their bounds as parameters, in key order', () => {
    const range: Range = {
      table: 'public.root',
      kind: 'key',
      id: 'x',
      from: hexKey(1),
      to: hexKey(9),
      rowsEstimate: 9,
    };
    const query = rangeQuery(shape, range);
    expect(query.sql).toMatch(/where \("id"\) >= \(\$1\) and \("id"\) < \(\$2\) order by "id"$/);
    expect(query.parameters.map(({ value }) => Buffer.from(value ?? []).readBigInt64BE())).toEqual([1n, 9n]);
    expect(query.mode).toBe('key');
    expect(rangeQuery(shape, { ...range, from: null, to: null })).toMatchObject({
      parameters: [],
      mode: 'scan',
    });
  });
});

describe('point reads', () => {
  it('of a table without identity cannot be', () => {
    expect(failureOf(() => pointQueries(shapeOf([leaf(7, 'a', 1, 1)], 'value'), []))).toBe('TP-BUG');
  });

  it('by address ask every piece for its own rows', () => {
    const shape = shapeOf([leaf(7, 'a', 1, 1), leaf(8, 'b', 1, 1)], 'address');
    const address = (oid: number, line: number): Uint8Array =>
      frameFields([Buffer.from([0, 0, 0, oid, 0, 0, 0, 5, 0, line])]);
    const queries = pointQueries(shape, [address(7, 1), address(8, 2), address(7, 3), address(9, 4)]);
    expect(queries.map(({ sql }) => /from (.*) as t/.exec(sql)?.[1])).toEqual([
      'only public."a"',
      'only public."b"',
    ]);
    expect(queries[0]?.parameters[0]?.value).toEqual(
      binaryArray(TID, [Buffer.from([0, 0, 0, 5, 0, 1]), Buffer.from([0, 0, 0, 5, 0, 3])]),
    );
    expect(addressText(address(7, 3))).toBe('(5,3)');
  });

  it('tell the row from its version', () => {
    const shape = shapeOf([leaf(7, 'a', 1, 1)]);
    const version = [Buffer.from([0, 0, 0, 5, 0, 1]), Buffer.from([0, 0, 3, 232]), Buffer.from([0, 0, 0, 0])];
    const row = [integer(5), null, integer(7)];
    const found = foundRow(frameRow([...version, ...row]), shape);
    expect(found.row).toEqual(frameRow(row));
    expect(found.key).toEqual(frameFields([integer(5)]));
    expect(found.writers).toEqual(['1000']);
    const deleting = foundRow(
      frameRow([version[0] ?? null, version[1] ?? null, Buffer.from([0, 0, 3, 233]), ...row]),
      shape,
    );
    expect(deleting.writers).toEqual(['1000', '1001']);
    expect(deleting.version).toBe(found.version);
  });
});

describe('messages', () => {
  it('a query is Parse, Bind, Flush, Execute and Sync, with parameters and results in binary', () => {
    const bytes = binaryQuery('select 1', [
      { typeOid: 20, value: integer(7) },
      { typeOid: 25, value: null },
    ]);
    const tags: string[] = [];
    const bodies: string[] = [];
    for (let at = 0; at < bytes.length; at += 1 + bytes.readInt32BE(at + 1)) {
      tags.push(String.fromCharCode(bytes[at] ?? 0));
      bodies.push(bytes.subarray(at + 5, at + 1 + bytes.readInt32BE(at + 1)).toString('hex'));
    }
    expect(tags.join('')).toBe('PBHES');
    expect(bodies).toEqual([
      `00${Buffer.from('select 1').toString('hex')}0000020000001400000019`,
      '0000000100010002000000080000000000000007ffffffff00010001',
      '',
      '0000000000',
      '',
    ]);
    expect(() => binaryQuery('select \0', [])).toThrow(RangeError);
  });

  it('an array has one dimension, or none when it is empty', () => {
    expect(binaryArray(25, []).toString('hex')).toBe('000000000000000000000019');
    expect(binaryArray(25, [Buffer.from('a'), null]).toString('hex')).toBe(
      '00000001000000010000001900000002000000010000000161ffffffff',
    );
  });

  it('an error tells its fields by letter', () => {
    const body = Buffer.from('SERROR\0C22012\0Mdivision by zero\0\0');
    expect(errorFields(frameMessage(body))).toEqual({ S: 'ERROR', C: '22012', M: 'division by zero' });
    expect(errorFields(frameMessage(Buffer.from('Cunfinished')))).toEqual({});
  });

  it('bodies are collected whole, however the stream is cut', () => {
    const bodies = fc.array(fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.constant(new Uint8Array(90_000))), {
      maxLength: 12,
    });
    fc.assert(
      fc.property(bodies, fc.array(fc.integer({ min: 1, max: 70_000 }), { minLength: 1 }), (all, sizes) => {
        const sink = new BodySink(2_000_000);
        const done = Uint8Array.of(0x5a, 0, 0, 0, 5, 0x49);
        const stream = Buffer.concat([...all.map(frameMessage), done]);
        let others = 0;
        for (let at = 0, turn = 0; at < stream.length; turn++) {
          const space = sink.space();
          const size = Math.min(sizes[turn % sizes.length] ?? 1, space.length, stream.length - at);
          space.set(stream.subarray(at, at + size));
          at += size;
          for (let other = sink.take(size); other !== null; other = sink.take(0)) others++;
        }
        expect(sink.bodies.map((body) => Buffer.from(body).toString('hex'))).toEqual(
          all.map((body) => Buffer.from(body).toString('hex')),
        );
        expect(others).toBe(1);
      }),
      { numRuns: 40 },
    );
  });

  it('more than was allowed for is refused', () => {
    const sink = new BodySink(50);
    const message = frameMessage(new Uint8Array(30));
    sink.space().set(message);
    sink.take(message.length);
    sink.space().set(message);
    expect(failureOf(() => sink.take(message.length))).toBe('TP-RANGE-TOO-LARGE');
  });
});

describe('commits that wait', () => {
  const row = { xids: ['10', '11'], synchronous: false, visible: true, waiting: false };

  it.each([
    ['none', row, []],
    ['none', row, ['9']],
    ['pending', row, ['9', '11']],
    ['pending', { ...row, waiting: true }, []],
    ['none', { ...row, visible: false }, []],
    ['none', { ...row, synchronous: true }, []],
    ['unknown', { ...row, synchronous: true, visible: false }, []],
    ['pending', { ...row, synchronous: true, visible: false }, ['10']],
  ] as const)('%s', (expected, facts, writers) => {
    expect(judgePending(facts, writers)).toBe(expected);
  });
});
