import type { ChangeStream } from '../src/connector/changes.ts';
import type { Position, PositionOrder } from '../src/connector/position.ts';

/** Rows that one transaction inserts while the table is filled. */
export const ROWS_PER_INSERT = 100_000;

/** A server with one table of eight columns, about 110 bytes a row, whose changes are taken into a ledger. */
export interface IntakeSource {
  readonly comparePositions: (a: Position, b: Position) => PositionOrder;
  /** Adds the rows with keys `from` to `to`, in transactions of a hundred thousand. */
  readonly fill: (from: number, to: number) => Promise<void>;
  /** Updates rows at random, `per` a transaction; `rows` are there. */
  readonly updateAtRandom: (updates: number, per: number, rows: number) => Promise<void>;
  /** One transaction that updates the first `rows` rows. */
  readonly updateAtOnce: (rows: number) => Promise<void>;
  /** Null: behind what was there when the source was made. */
  readonly stream: (after: Position | null) => Promise<ChangeStream>;
  /** Seconds of processor that the server has spent on sending, in the running stream; 0 when nothing streams. */
  readonly senderSeconds: () => Promise<number>;
  /** Waits until the server has noticed that its stream was closed. */
  readonly streamEnded: () => Promise<void>;
  readonly destroy: () => Promise<void>;
}
