import type { Cluster } from '../../../src/demo/cluster.ts';
import { frameFields } from '../../../src/row/stream.ts';
import { isRowChange, type StreamedTransaction } from './change-stream.ts';
import { integersOf } from './ledger-site.ts';

/** Rows of a table of two integers, by key. */
export type Rows = ReadonlyMap<number, number>;

/** Keys that the load begins with, and those that it may use besides. */
export const KEYS = 40;
export const KEYS_MAX = KEYS * 2;

export function keyOf(id: number): Uint8Array {
  const field = Buffer.alloc(4);
  field.writeInt32BE(id);
  return frameFields([field]);
}

export function rowsOf(bodies: readonly Uint8Array[]): Rows {
  return new Map(bodies.map((body) => integersOf(body)).map(([id = -1, v = -1]) => [id, v]));
}

/** On a machine that is busy the work may come seldom. */
const ROUNDS_MAX = 5000;

/** Updates, moves to other keys, deletes, aborted work, several rows at once, in the table `t (id, v)`. */
async function churn(cluster: Cluster, writer: number, goesOn: (round: number) => boolean): Promise<void> {
  const client = await cluster.connect();
  for (let round = 0; round < ROUNDS_MAX && goesOn(round); round += 1) {
    const id = (round * 7 + writer * 3) % KEYS;
    await client.query('BEGIN');
    await client.query('UPDATE t SET v = v + 1 WHERE id = $1', [id]);
    if (round % 5 === 0)
      await client.query(`SAVEPOINT s; UPDATE t SET v = -5 WHERE id = ${id}; ROLLBACK TO s`);
    if (round % 9 === 4) await client.query('DELETE FROM t WHERE id = $1', [id]);
    if (round % 9 === 5) {
      await client.query('INSERT INTO t VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET v = -1', [id, round]);
    }
    if (round % 4 === 1) {
      const away = KEYS + writer * 10 + (round % 10);
      await client.query('UPDATE t SET id = $2 WHERE id = $1 AND NOT EXISTS (SELECT FROM t WHERE id = $2)', [
        id,
        away,
      ]);
    }
    await client.query(round % 7 === 6 ? 'ROLLBACK' : 'COMMIT');
  }
  await client.end();
}

/** Three writers at once, for `rounds` at least, and what is done again and again while they write, `times` at least. */
export async function underLoad(
  cluster: Cluster,
  { rounds, times }: { readonly rounds: number; readonly times: number },
  work: () => Promise<void>,
): Promise<void> {
  let done = 0;
  const goesOn = (round: number): boolean => round < rounds || done < times;
  const writing = [0, 1, 2].map((writer) => churn(cluster, writer, goesOn));
  const load = { over: false };
  void Promise.allSettled(writing).then(() => (load.over = true));
  try {
    while (!load.over) {
      await work();
      done += 1;
    }
  } finally {
    done = times;
  }
  await Promise.all(writing);
}

/** What a transaction of the stream makes of rows. */
export function apply(state: Map<number, number>, { events }: StreamedTransaction): void {
  for (const event of events) {
    if (!isRowChange(event)) continue;
    const gone = event.oldKey ?? (event.type === 'delete' ? event.key : null);
    if (gone !== null) state.delete(new DataView(gone.buffer, gone.byteOffset).getInt32(4));
    const [id, v] = event.after === null ? [] : integersOf(event.after);
    if (id !== undefined && v !== undefined) state.set(id, v);
  }
}
