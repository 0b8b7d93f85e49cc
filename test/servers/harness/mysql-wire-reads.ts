import { expect } from 'vitest';
import type { ReaderPool } from '../../../connectors/mysql/pool.ts';
import type { MysqlParameter, WireOperation } from '../../../connectors/mysql/wire-row.ts';
import type { RowSink } from '../../../src/connector/contract.ts';
import { TwinproofError } from '../../../src/errors.ts';
import { BodySink } from '../../../src/row/body-sink.ts';
import { fieldsOf } from '../../../src/row/stream.ts';

export const forever = (): AbortSignal => new AbortController().signal;

/** Rows as hexadecimal text, field by field. */
export async function hexRows(
  pool: ReaderPool,
  sql: string,
  operations: readonly WireOperation[],
  parameters: readonly MysqlParameter[] = [],
): Promise<(string | null)[][]> {
  const sink = new BodySink(Infinity);
  await pool.read({ sql, parameters, operations }, sink, forever());
  return sink.bodies.map((body) =>
    fieldsOf(body).map((field) => (field === null ? null : Buffer.from(field).toString('hex'))),
  );
}

export async function failure(attempt: Promise<unknown>): Promise<TwinproofError> {
  const error: unknown = await attempt.then(
    () => 'no error',
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(TwinproofError);
  if (!(error instanceof TwinproofError)) throw new Error('unreachable');
  return error;
}

/** Hands on to another sink and calls `onTake` before every take. */
export function watched(sink: RowSink, onTake: (length: number) => void): RowSink {
  return {
    space: () => sink.space(),
    take: (length) => {
      onTake(length);
      return sink.take(length);
    },
  };
}
