import { describe, expect, it } from 'vitest';
import type { Connector, Range, RowShape } from '../../src/connector/contract.ts';
import { CollectingSink } from './collecting-sink.ts';
import { shapesOf, signalFor, type ContractPair } from './pair.ts';
import { failureOf, hexOf, planFor, rangeKinds, readRange } from './reading.ts';
import { keyedTable } from './tables.ts';

interface Prepared {
  readonly shape: RowShape;
  readonly range: Range;
}

export function describeAborts(pair: () => ContractPair): void {
  const prepare = async (name: string, rowCount: number): Promise<Prepared> => {
    const table = keyedTable(name, rowCount);
    await pair().createTable(table);
    const shapes = await shapesOf(pair(), table);
    const [kind = 'slice'] = rangeKinds(pair(), shapes.primary);
    const { primary } = await planFor(pair(), shapes, kind, 1_000_000);
    const [range] = primary;
    if (range === undefined) throw new Error('no range was planned');
    return { shape: shapes.primary, range };
  };
  const noReadsOpen = async (): Promise<void> => {
    await expect.poll(() => pair().openReads(), { timeout: 10_000, interval: 50 }).toBe(0);
  };

  describe('abort and close', () => {
    it('an aborted signal rejects every call, and the connector goes on', async () => {
      const { shape, range } = await prepare('abort_calls', 20);
      const { primary } = pair();
      for (const call of callsOf(primary, shape, range)) {
        expect(await failureOf(call(AbortSignal.abort()))).toBeInstanceOf(Error);
      }
      expect(await readRange(primary, shape, range)).toHaveLength(20);
    });

    it('a read aborted on its way leaves nothing behind', async () => {
      const { shape, range } = await prepare('abort_midway', 3_000);
      const { primary } = pair();
      const whole = await readRange(primary, shape, range);
      for (const when of ['snapshot', 'rows'] as const) {
        const abort = new AbortController();
        const sink = new AbortingSink(when === 'rows' ? abort : null);
        const onSnapshot = (): void => {
          if (when === 'snapshot') abort.abort();
        };
        const read = primary.readRange({ shape, range, onSnapshot }, sink, abort.signal);
        expect(await failureOf(read)).toBeInstanceOf(Error);
        // All rows may have been on their way in one piece: what counts is that the read does not pass for a whole one.
        expect(sink.rows.length).toBeLessThanOrEqual(whole.length);
        await noReadsOpen();
      }
      expect(hexOf(await readRange(primary, shape, range))).toEqual(hexOf(whole));
    });

    it('a sink that throws ends the read, and the connector goes on', async () => {
      const { shape, range } = await prepare('abort_sink', 500);
      const { primary } = pair();
      const failing = new FailingSink(128);
      const read = primary.readRange({ shape, range }, failing, signalFor());
      expect(await failureOf(read)).toBeInstanceOf(Error);
      await noReadsOpen();
      expect(await readRange(primary, shape, range)).toHaveLength(500);
    });

    it('a closed connector rejects calls, and may be closed again', async () => {
      const { shape, range } = await prepare('abort_closed', 5);
      const connector = await pair().connect('primary');
      expect(await readRange(connector, shape, range)).toHaveLength(5);
      await connector.close();
      await connector.close();
      for (const call of callsOf(connector, shape, range)) {
        expect(await failureOf(call(signalFor()))).toBeInstanceOf(Error);
      }
      expect(await readRange(pair().primary, shape, range)).toHaveLength(5);
    });

    it('close ends a read that goes on', async () => {
      const { shape, range } = await prepare('abort_closing', 3_000);
      const connector = await pair().connect('primary');
      const closing: Promise<void>[] = [];
      const onSnapshot = (): void => {
        closing.push(connector.close());
      };
      const read = connector.readRange({ shape, range, onSnapshot }, new CollectingSink(64), signalFor());
      expect(await failureOf(read)).toBeInstanceOf(Error);
      await Promise.all(closing);
      await noReadsOpen();
    });
  });
}

/** Every call of a connector to a primary that takes a signal. */
function callsOf(
  connector: Connector,
  shape: RowShape,
  range: Range,
): readonly ((signal: AbortSignal) => Promise<unknown>)[] {
  const options = { kind: range.kind, rowsMax: 100, bytesMax: 1 << 20 };
  return [
    (signal) => connector.identify(signal),
    (signal) => connector.preflight(signal),
    (signal) => connector.describeTables({ include: ['*'], exclude: [] }, signal),
    (signal) => connector.head(signal),
    (signal) => connector.planRanges(shape, options, signal),
    (signal) => connector.readRange({ shape, range }, new CollectingSink(), signal),
    (signal) => connector.readRows(shape, [new Uint8Array(12)], 'index', signal),
    (signal) => connector.commitsPending([], signal),
    (signal) => connector.lag(signal),
    (signal) => connector.readiness(signal),
  ];
}

/** Aborts its own read at the first rows. */
class AbortingSink extends CollectingSink {
  readonly #abort: AbortController | null;

  constructor(abort: AbortController | null) {
    super(64);
    this.#abort = abort;
  }

  override take(length: number): Uint8Array | null {
    const message = super.take(length);
    if (this.rows.length > 0) this.#abort?.abort();
    return message;
  }
}

class FailingSink extends CollectingSink {
  override take(length: number): Uint8Array | null {
    const message = super.take(length);
    if (this.rows.length > 0) throw new Error('the sink has failed');
    return message;
  }
}
