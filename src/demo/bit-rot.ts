import { DATABASE } from './bank-schema.ts';
import type { BrokenRow } from './broken-row.ts';
import type { Cluster, Row } from './cluster.ts';
import {
  editOrphan,
  editPages,
  editStandby,
  eraseTuple,
  HEADER_BYTES,
  type HeapTarget,
  ITEM_BYTES,
  relationPath,
} from './heap-edit.ts';

/** Byte of a tuple's header that tells where its first column begins. */
const DATA_OFFSET_AT = 22;
/** Of the amount behind there: id, booked_at and two accounts take eight bytes each. */
const AMOUNT_AT = 32;
/** Behind the one-byte length and the two-byte header of a short numeric: its first digit, base 10,000. */
const DIGIT_AT = AMOUNT_AT + 3;
/** The bit of that digit that falls over: 512 of the currency's units. */
const BIT = 0x0200;

export interface BitRot {
  readonly rows: readonly BrokenRow[];
  readonly amountBefore: string;
  readonly amountAfter: string;
}

/**
 * What a disk or a controller may do to a standby that is switched off: one bit of an amount flips, and a row is gone.
 * PostgreSQL sees neither without page checksums; replication goes on as before. Both rows lie in pages to which the
 * writer never comes: the log would carry whole pages after the next checkpoint, and heal them. `primary` is null when
 * it is gone.
 */
export async function rotStandby(primary: Cluster | null, standby: Cluster): Promise<BitRot> {
  const [booked] = await standby.query(
    DATABASE,
    `SELECT id::text, booked_at::text, ctid::text AS ctid, trunc(amount)::int AS units, amount::text FROM transfer_2024
      WHERE amount BETWEEN 600 AND 999 ORDER BY id LIMIT 1 OFFSET 700`,
  );
  const [person] = await standby.query(
    DATABASE,
    'SELECT id::text, ctid::text AS ctid FROM customer WHERE id = 12017',
  );
  const transfers = await relationPath(standby, DATABASE, 'transfer_2024');
  const customers = await relationPath(standby, DATABASE, 'customer');
  const edit = async (target: HeapTarget): Promise<void> => {
    await flipBit(target, transfers, text(booked, 'ctid'), Number(booked?.['units']));
    await eraseTuple(target, customers, text(person, 'ctid'));
  };
  await (primary === null ? editOrphan(standby, edit) : editStandby(primary, standby, edit));
  const [after] = await standby.query(DATABASE, 'SELECT amount::text FROM transfer_2024 WHERE id = $1', [
    text(booked, 'id'),
  ]);
  const amounts = { amountBefore: text(booked, 'amount'), amountAfter: text(after, 'amount') };
  return {
    ...amounts,
    rows: [
      {
        table: 'public.transfer',
        kind: 'changed',
        key: { id: text(booked, 'id'), booked_at: text(booked, 'booked_at') },
        columns: ['amount'],
        done: `one bit: ${amounts.amountBefore} reads ${amounts.amountAfter}`,
      },
      {
        table: 'public.customer',
        kind: 'missing',
        key: { id: text(person, 'id') },
        columns: [],
        done: 'row lost from its page',
      },
    ],
  };
}

async function flipBit(target: HeapTarget, relation: string, ctid: string, units: number): Promise<void> {
  const [block, item] = (/^\((\d+),(\d+)\)$/.exec(ctid) ?? []).slice(1).map(Number);
  if (block === undefined || item === undefined) throw new Error(`${ctid} is not a ctid`);
  await editPages(target, relation, block, block + 1, (page, record) => {
    // The low 15 bits of a line pointer are the offset of its tuple.
    const tuple = page.readUInt32LE(HEADER_BYTES + ITEM_BYTES * (item - 1)) & 0x7fff;
    const at = tuple + page.readUInt8(tuple + DATA_OFFSET_AT) + DIGIT_AT;
    if (page.readUInt16LE(at) !== units) throw new Error(`no amount of ${units} at ${ctid}`);
    page.writeUInt16LE(units ^ BIT, at);
    record(at, 2);
  });
}

function text(row: Row | undefined, column: string): string {
  const value = row?.[column];
  if (typeof value !== 'string') throw new Error(`no such row: ${column}`);
  return value;
}
