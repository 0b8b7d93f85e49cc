import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Outlet, OutletMessage } from '../../src/connector/outlet.ts';
import { TwinproofError } from '../../src/errors.ts';
import { Publisher } from '../../src/service/publisher.ts';

/** Brokers that are there or not, and remember. */
class Brokers {
  up = true;
  readonly got: OutletMessage[] = [];
  opened = 0;
  closed = 0;

  open = (): Promise<Outlet> => {
    this.opened += 1;
    if (!this.up) return Promise.reject(new TwinproofError('TP-UNREACHABLE'));
    return Promise.resolve({
      send: (messages) => {
        if (!this.up) return Promise.reject(new TwinproofError('TP-UNREACHABLE'));
        this.got.push(...messages);
        return Promise.resolve();
      },
      close: () => {
        this.closed += 1;
        return Promise.resolve();
      },
    });
  };

  /** The member `n` of every message. */
  get numbers(): unknown[] {
    return this.got.map(({ value }) => {
      const body: { n?: unknown } = JSON.parse(value);
      return body.n;
    });
  }
}

function publisherTo(brokers: Brokers, bytesMax: number) {
  const told: string[] = [];
  const publisher = new Publisher({
    open: brokers.open,
    bytesMax,
    timing: { now: () => 0, sleep: () => turn() },
    random: () => 0.5,
    tell: ({ failing, code }) => told.push(`${failing ? 'failing' : 'well'} ${code}`),
  });
  return { publisher, told };
}

describe('publishing', () => {
  it('sends everything in order, and what is left at the end', async () => {
    const brokers = new Brokers();
    const { publisher, told } = publisherTo(brokers, 1_000_000);
    const stop = new AbortController();
    const running = publisher.run(stop.signal);
    for (let n = 0; n < 10; n += 1) publisher.publish('bank/gasan', { n });
    await turn();
    publisher.publish('bank/gasan', { n: 10 });
    stop.abort();
    await running;
    expect(brokers.numbers).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(brokers.got[0]).toEqual({ key: 'bank/gasan', value: '{"n":0,"dropped":"0"}' });
    expect([brokers.opened, brokers.closed, told]).toEqual([1, 1, []]);
  });

  it('drops the oldest while the brokers are away, within its bound, and says how many', async () => {
    const brokers = new Brokers();
    brokers.up = false;
    const { publisher, told } = publisherTo(brokers, 2000);
    const stop = new AbortController();
    const running = publisher.run(stop.signal);
    for (let n = 0; n < 100; n += 1) {
      publisher.publish('bank/gasan', { n });
      if (n % 7 === 0) await turn();
      expect(publisher.waitingBytes).toBeLessThanOrEqual(2000);
    }
    expect(publisher.dropped).toBeGreaterThan(80n);
    brokers.up = true;
    while (brokers.numbers.at(-1) !== 99) await turn();
    publisher.publish('bank/gasan', { n: 100 });
    stop.abort();
    await running;
    const first = 101 - brokers.numbers.length;
    expect(BigInt(first)).toBe(publisher.dropped);
    expect(brokers.numbers).toEqual(brokers.numbers.map((_, index) => first + index));
    expect(brokers.got.at(-1)?.value).toBe(`{"n":100,"dropped":"${publisher.dropped}"}`);
    expect(told).toEqual(['failing TP-UNREACHABLE', 'well null']);
  });

  it('drops a message that no broker would take, and goes on', async () => {
    const brokers = new Brokers();
    const { publisher } = publisherTo(brokers, 4_000_000);
    const stop = new AbortController();
    const running = publisher.run(stop.signal);
    publisher.publish('bank/gasan', { n: 0, text: 'x'.repeat(600_000) });
    publisher.publish('bank/gasan', { n: 1 });
    stop.abort();
    await running;
    expect([brokers.numbers, publisher.dropped]).toEqual([[1], 1n]);
  });

  it('ends when told to, also while the brokers are away', async () => {
    const brokers = new Brokers();
    brokers.up = false;
    const { publisher } = publisherTo(brokers, 1_000_000);
    const stop = new AbortController();
    const running = publisher.run(stop.signal);
    publisher.publish('bank/gasan', {});
    await turn();
    stop.abort();
    await expect(running).resolves.toBeUndefined();
  });
});
