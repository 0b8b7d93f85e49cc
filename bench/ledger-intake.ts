import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { ChangeEvent, StreamedTable } from '../src/connector/changes.ts';
import type { Position, PositionOrder } from '../src/connector/position.ts';
import { Baseline, type BaselineRow } from '../src/ledger/baseline.ts';
import { Ledger } from '../src/ledger/ledger.ts';

/**
 * How many changes a second the ledger takes, durably, from prepared batches: no server, no decoding.
 *
 *   node dist/bench/ledger-intake.js [--rows 5000000] [--changes 1000000] [--per 1,10,1000]
 */
const BATCH = 20_000;
const TABLE: StreamedTable = {
  id: '16384',
  leaf: 'public.orders',
  root: 'public.orders',
  columns: ['id', 'customer', 'amount', 'note'].map((name) => ({
    name,
    type: 'bigint',
    encoding: 'pg-binary',
  })),
  keyFields: 1,
  absent: [],
  fingerprint: 'f',
};

function option(name: string, usual: string): string {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? usual : (process.argv[at + 1] ?? usual);
}

const rows = Number(option('rows', '5000000'));
const changes = Number(option('changes', '1000000'));
const sizes = option('per', '1,10,1000').split(',').map(Number);

function isPosition(text: string): text is Position {
  return text !== '';
}

function place(number: number): Position {
  const text = `7000000000000000001/1/${number.toString(16).toUpperCase().padStart(8, '0')}`;
  if (!isPosition(text)) throw new Error('a place has a name');
  return text;
}

function comparePlaces(a: Position, b: Position): PositionOrder {
  if (a === b) return 'equal';
  return a < b ? 'before' : 'after';
}

const note = Buffer.from('a note of some thirty-two bytes!');
const ROW_BYTES = 2 + 3 * 12 + 4 + note.length;

/** Cut from large pieces of memory, as a stream's rows are. */
let pool = Buffer.alloc(0);
function cut(size: number): Buffer {
  if (pool.length < size) pool = Buffer.allocUnsafe(1024 * 1024);
  const bytes = pool.subarray(0, size);
  pool = pool.subarray(size);
  return bytes;
}

function putKey(bytes: Buffer, at: number, number: number): number {
  bytes.writeInt32BE(8, at);
  bytes.writeUInt32BE(0, at + 4);
  bytes.writeUInt32BE(number, at + 8);
  return at + 12;
}

function identity(number: number): Uint8Array {
  const bytes = cut(12);
  putKey(bytes, 0, number);
  return bytes;
}

function body(number: number, amount: number): Uint8Array {
  const bytes = cut(ROW_BYTES);
  bytes.writeUInt16BE(4, 0);
  const at = putKey(bytes, putKey(bytes, putKey(bytes, 2, number), number % 1000), amount);
  bytes.writeInt32BE(note.length, at);
  note.copy(bytes, at + 4);
  return bytes;
}

/** The least standard generator; the same rows at every run. */
let seed = 42;
function random(below: number): number {
  seed = (seed * 48_271) % 2_147_483_647;
  return seed % below;
}

function* baselineRows(ledger: Ledger, from: number, to: number): Generator<BaselineRow> {
  const digester = ledger.digester();
  for (let number = from; number < to; number++) {
    yield { identity: identity(number), row: digester.row(body(number, 0), null) };
  }
}

function prepared(from: number, count: number, per: number): ChangeEvent[] {
  const events: ChangeEvent[] = [];
  const committedAtUs = 1_790_000_000_000_000n + BigInt(from);
  for (let change = 0; change < count; change++) {
    const id = String(from + change - (change % per));
    if (change % per === 0) events.push({ type: 'begin', id, committedAtUs, origin: null });
    const number = random(rows);
    const after = body(number, change + 1);
    events.push({
      type: 'update',
      table: TABLE,
      key: identity(number),
      oldKey: null,
      before: null,
      after,
    });
    if (change % per === per - 1 || change === count - 1) {
      events.push({ type: 'commit', id, committedAtUs, position: place(from + change) });
    }
  }
  return events;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

function memory(): string {
  const { rss } = process.memoryUsage();
  return `${Math.round(rss / 2 ** 20)} MiB resident`;
}

/** Seconds by the clock and of this process's own work: on a busy machine only the latter says something. */
interface Spent {
  wall: number;
  cpu: number;
}

async function spend(spent: Spent, action: () => Promise<void>): Promise<void> {
  const cpu = process.cpuUsage();
  const started = performance.now();
  await action();
  const { user, system } = process.cpuUsage(cpu);
  spent.wall += (performance.now() - started) / 1000;
  spent.cpu += (user + system) / 1e6;
}

function rate(count: number, { wall, cpu }: Spent): string {
  return `${Math.round(count / wall)}/s by the clock, ${Math.round(count / cpu)}/s of CPU`;
}

async function intake(ledger: Ledger, from: number, per: number): Promise<Spent> {
  const spent = { wall: 0, cpu: 0 };
  for (let done = 0; done < changes; done += BATCH) {
    const events = prepared(from + done, Math.min(BATCH, changes - done), per);
    await spend(spent, async () => {
      ledger.take(events);
      await ledger.flush();
    });
  }
  await spend(spent, () => ledger.settle());
  return spent;
}

const folder = mkdtempSync(path.join(tmpdir(), 'twinproof-bench-ledger-'));
try {
  const ledger = await Ledger.open({
    folder,
    system: 'bench',
    source: 'bench',
    digest: 'xxh64',
    comparePositions: comparePlaces,
    retention: { timeUs: 10n ** 15n, bytes: 2 ** 40 },
    now: () => new Date(),
  });
  ledger.take([
    { type: 'definition', table: TABLE },
    { type: 'idle', position: place(1) },
  ]);
  const relation = ledger.core.catalog.ofTable(TABLE.id);
  if (relation === null) throw new Error('the table is not defined');
  const baseline = new Baseline(ledger.core, () => ledger.settle());
  const { number } = relation;
  const loading = { wall: 0, cpu: 0 };
  await spend(loading, async () => {
    baseline.begin(number, ['all']);
    const read = { relation: number, piece: 'all', visible: () => true, until: place(1) };
    await baseline.store(read, baselineRows(ledger, 0, rows));
    baseline.advance(comparePlaces);
  });
  say(`baseline: ${rows} rows, ${rate(rows, loading)}; ${memory()}`);
  let from = 2;
  for (const per of sizes) {
    const spent = await intake(ledger, from, per);
    from += changes;
    const bytes = statSync(path.join(folder, 'index.lmdb')).size;
    say(
      `${per} a transaction: ${rate(changes, spent)}; index ${(bytes / rows).toFixed(1)} B/row, ` +
        `journal ${(ledger.core.journal.bytes / (from - 2)).toFixed(1)} B/change; ${memory()}`,
    );
  }
  await ledger.close();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
