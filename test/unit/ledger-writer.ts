import { writeSync } from 'node:fs';
import type { ChangeEvent, StreamedTable } from '../../src/connector/changes.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import {
  beginEmpty,
  define,
  insert,
  openLedger,
  place,
  remove,
  table,
  transaction,
  update,
} from './ledger-fixture.ts';

/**
 * A writer whose transactions follow from their numbers alone, so that who finds its ledger knows what must be in it.
 * Also the program of the process that is killed: `node ledger-writer.js <folder>`.
 */
export const WRITER_TABLE: StreamedTable = table('accounts');
export const WRITER_OPTIONS = { segmentBytes: 200_000, pendingMax: 700 };
const KEYS = 40;
const LONG_EVERY = 9;
const LONG_KEYS = 4500;

/** The rows before and after each transaction are these. */
export type WriterRows = Map<number, string>;

export function writerEvents(number: number, rows: WriterRows): ChangeEvent[] {
  const changes: ChangeEvent[] = [];
  const long = number % LONG_EVERY === 0;
  const count = long ? LONG_KEYS : 1 + (number % 4);
  for (let change = 0; change < count; change++) {
    const key = long ? change : (number * 7 + change * 13) % KEYS;
    const value = `${number}/${change}`;
    if (!rows.has(key)) changes.push(insert(WRITER_TABLE, key, value));
    else if ((number + key) % 3 === 0) {
      changes.push(remove(WRITER_TABLE, key));
      rows.delete(key);
      continue;
    } else changes.push(update(WRITER_TABLE, key, value));
    rows.set(key, value);
  }
  return transaction(number, changes);
}

/** What is in the table after transaction `number`; the first one is 2. */
export function rowsAfter(number: number): WriterRows {
  const rows: WriterRows = new Map();
  for (let one = 2; one <= number; one++) writerEvents(one, rows);
  return rows;
}

/** Opens the ledger; a new one gets its table and an empty baseline. */
export async function openWriter(folder: string): Promise<Ledger> {
  const ledger = await openLedger(folder, WRITER_OPTIONS);
  const relation = ledger.core.catalog.ofTable(WRITER_TABLE.id);
  if (relation?.completeFrom === null || relation === null) await beginEmpty(ledger, WRITER_TABLE, 1);
  else ledger.take([define(WRITER_TABLE)]);
  return ledger;
}

async function writeForever(folder: string): Promise<void> {
  const ledger = await openWriter(folder);
  let number = Number(ledger.position ?? place(1));
  const rows = rowsAfter(number);
  for (;;) {
    number++;
    const events = writerEvents(number, rows);
    for (let start = 0; start < events.length; start += 1000) {
      ledger.take(events.slice(start, start + 1000));
      if (start + 1000 < events.length) await ledger.flush();
    }
    if (number % 3 === 0) continue;
    writeSync(1, `${await ledger.flush()}\n`);
    if (number % 50 === 0) await ledger.prune();
  }
}

if (process.argv[1]?.endsWith('ledger-writer.js') === true) await writeForever(process.argv[2] ?? '');
