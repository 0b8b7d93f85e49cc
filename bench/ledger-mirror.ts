import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { openLedgerTopic } from '../connectors/kafka/ledger-topic.ts';
import type { MirrorLog } from '../src/connector/mirror-log.ts';
import { REAL_TIMING } from '../src/commands/timing.ts';
import { MirrorStates } from '../src/ledger/mirror-state.ts';
import { LedgerMirror } from '../src/service/ledger-mirror.ts';
import { WatchedLedger } from '../src/service/watched-ledger.ts';
import { WatchLog } from '../src/service/watch-log.ts';
import { createKafka, type KafkaServer } from '../test/servers/harness/kafka-server.ts';
import { createTopic } from '../test/servers/harness/kafka-topics.ts';
import {
  beginEmpty,
  comparePlaces,
  insert,
  ledgerOptions,
  table,
  transaction,
  update,
} from '../test/unit/ledger-fixture.ts';

/**
 * What a mirror of the ledger costs, in CPU of this process: made-up updates at random are taken in turns without a mirror,
 * with one that goes nowhere, and with one on a broker of our own.
 *
 *   node dist/bench/ledger-mirror.js [--rows 200000] [--changes 500000] [--per 1000] [--turns 2] [--to none,nowhere,kafka]
 */
const { values: options } = parseArgs({
  options: {
    rows: { type: 'string', default: '200000' },
    changes: { type: 'string', default: '500000' },
    per: { type: 'string', default: '1000' },
    turns: { type: 'string', default: '2' },
    to: { type: 'string', default: 'none,nowhere,kafka' },
  },
});
const rows = Number(options.rows);
const changes = Number(options.changes);
const per = Number(options.per);
const accounts = table('accounts');

/** A log that keeps nothing. */
function nowhere(): MirrorLog {
  let end = 0n;
  return {
    append: (messages) => Promise.resolve((end += BigInt(messages.length))),
    extent: () => Promise.resolve({ first: 0n, end }),
    read: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
}

async function openAt(
  to: string,
  kafka: KafkaServer | null,
  turn: number,
): Promise<() => Promise<MirrorLog>> {
  if (kafka === null) {
    const log = nowhere();
    return () => Promise.resolve(log);
  }
  const topic = `${to}-${turn}`;
  await createTopic(await kafka.admin(), topic);
  return () => openLedgerTopic({ brokers: [kafka.broker], tls: null, sasl: null }, topic);
}

async function take(watched: WatchedLedger, first: number, changed: typeof insert): Promise<number> {
  let number = first;
  for (let done = 0; done < (changed === insert ? rows : changes); done += per) {
    const part = Array.from({ length: per }, (_, at) => {
      const key = changed === insert ? done + at : ((done + at) * 48_271) % rows;
      return changed(accounts, key, `v${number}`);
    });
    await watched.take(transaction((number += 1), part));
    await new Promise(setImmediate);
  }
  return number;
}

async function run(to: string, turn: number, kafka: KafkaServer | null): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), 'twinproof-bench-mirror-'));
  const watched = await WatchedLedger.open(ledgerOptions(folder), { comparePositions: comparePlaces });
  const stop = new AbortController();
  let running = Promise.resolve();
  try {
    await beginEmpty(watched.ledger, accounts, 1);
    const last = await take(watched, 1, insert);
    const target = { topic: 'topic', open: await openAt(to, kafka, turn), renewMs: 1e12, drawEpoch };
    const log = new WatchLog('bench', ({ level, message }) => {
      if (level !== 'info') print(message);
    });
    const mirror = new LedgerMirror({ watched, target, timing: REAL_TIMING, random: Math.random, log });
    if (to !== 'none') running = mirror.run(stop.signal);
    if (to !== 'none') await mirrored(watched);
    const [started, before] = [performance.now(), process.cpuUsage()];
    await take(watched, last, update);
    if (to !== 'none') await mirrored(watched);
    const { user, system } = process.cpuUsage(before);
    const seconds = (performance.now() - started) / 1000;
    const us = (used: number): string => (used / changes).toFixed(2);
    const bytes = (watched.ledger.core.journal.bytes / (changes + rows)).toFixed(0);
    print(
      `${to}: ${us(user + system)} µs of CPU a change (${us(system)} of it in the system), ` +
        `${seconds.toFixed(1)} s by the clock, ${bytes} B of journal a change`,
    );
  } finally {
    stop.abort();
    await running;
    await watched.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

let drawn = 0;

function drawEpoch(): string {
  return String((drawn += 1)).padStart(32, '0');
}

/** Waits until all of it is. */
async function mirrored({ ledger }: WatchedLedger): Promise<void> {
  const states = new MirrorStates(ledger.core.store);
  const isBehind = (): boolean => {
    const state = states.read();
    return state?.copyTo == null || state.at < ledger.core.committed.mark.at;
  };
  while (isBehind()) await new Promise((resolve) => setTimeout(resolve, 50));
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

const ways = options.to.split(',');
const broker = ways.includes('kafka') ? await createKafka() : null;
try {
  for (let turn = 0; turn < Number(options.turns); turn += 1) {
    for (const to of ways) await run(to, turn, to === 'kafka' ? broker : null);
  }
} finally {
  await broker?.destroy();
}
