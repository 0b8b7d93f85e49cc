import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectSite, openMirror } from '../../../connectors/registry.ts';
import { mirrorTarget } from '../../../src/commands/mirror-target.ts';
import { REAL_TIMING } from '../../../src/commands/timing.ts';
import { loadConfig } from '../../../src/config/load.ts';
import type { SystemConfig } from '../../../src/config/schema.ts';
import { ledgerSite } from '../../../src/connector/ledger-sites.ts';
import type { TableDescription } from '../../../src/connector/table.ts';
import type { Cluster } from '../../../src/demo/cluster.ts';
import { messageOf } from '../../../src/errors.ts';
import { Candidates } from '../../../src/ledger/candidates.ts';
import { checkLedger } from '../../../src/ledger/check.ts';
import { unprovenRanges } from '../../../src/ledger/coverage.ts';
import { STATE } from '../../../src/ledger/entry.ts';
import { Known } from '../../../src/ledger/known.ts';
import { Ledger } from '../../../src/ledger/ledger.ts';
import { ledgerOptions } from '../../../src/ledger/options.ts';
import { shapeOf } from '../../../src/ledger/shape.ts';
import type { Relation } from '../../../src/ledger/relation.ts';
import { StateAt } from '../../../src/ledger/state.ts';
import { DigestSink } from '../../../src/service/digest-sink.ts';
import { SystemWatch, type WatchResult } from '../../../src/service/system-watch.ts';
import type { WatchSite } from '../../../src/service/watched-ledger.ts';
import type { WatchLine } from '../../../src/service/watch-log.ts';
import { until } from './cli.ts';
import { WATCHER } from './watcher.ts';

const LIMIT_MS = 150_000;
/** Whoever asks opens the ledger: asked all the time it would take the watch's processor. */
const REST_MS = 250;

/** Where a site is, by the name of its database; PostgreSQL's by that of the role too. */
export type WatchedSite = Pick<Cluster, 'url'>;

export interface WatchedSites {
  readonly primary: WatchedSite;
  /** By the candidate's name. */
  readonly candidates: Readonly<Record<string, WatchedSite>>;
  readonly database?: string;
  /** Folders, by the candidate's name. */
  readonly archives?: Readonly<Record<string, string>>;
  /** More of `policy`, as YAML in braces. */
  readonly policy?: string;
  readonly scrub?: string;
  readonly slot?: string;
  readonly retention?: string;
  /** `ledger.mirror`, as YAML in braces. */
  readonly mirror?: string;
  /** More of the system, a key and its value as YAML. */
  readonly facts?: string;
  /** More of the file, whole lines of YAML. */
  readonly more?: string;
}

/** A configuration with one system `bank`, and a ledger, in a folder of its own. */
export class WatchFolder {
  readonly path = mkdtempSync(path.join(tmpdir(), 'twinproof-watch-'));
  readonly config = path.join(this.path, 'twinproof.yaml');

  constructor(sites: WatchedSites) {
    this.write(sites);
  }

  write(sites: WatchedSites): void {
    const {
      primary,
      candidates,
      database = 'postgres',
      policy = '{}',
      scrub = '{}',
      slot = 'twinproof',
    } = sites;
    const listed = Object.entries(candidates).map(
      ([name, cluster]) =>
        `      - { name: ${name}, url: "${cluster.url(database, WATCHER)}", allowUnboundedWal: true${archiveOf(name, sites)} }\n`,
    );
    writeFileSync(
      this.config,
      `systems:\n  bank:\n    primary: { url: "${primary.url(database, WATCHER)}", slot: ${slot}, allowUnboundedWal: true }\n` +
        `    candidates:\n${listed.join('')}    policy: ${policy}\n    scrub: ${scrub}\n${sites.facts === undefined ? '' : `    ${sites.facts}\n`}` +
        `ledger: { path: ./ledger, retention: ${sites.retention ?? '{}'}${sites.mirror === undefined ? '' : `, mirror: ${sites.mirror}`} }\n${sites.more ?? ''}`,
    );
  }

  get system(): SystemConfig {
    const [system] = loadConfig(this.config, {}).systems;
    if (system === undefined) throw new Error('no system');
    return system;
  }

  /** What is durable in the ledger now. */
  async read(): Promise<Ledger> {
    const { ledger } = loadConfig(this.config, {});
    return await Ledger.read(
      ledgerOptions(ledger, 'bank', {
        source: null,
        comparePositions: (await comparer(this.system.primary.address.engine)).comparePositions,
        now: () => new Date(),
      }),
    );
  }

  async reading<T>(look: (ledger: Ledger) => T | Promise<T>): Promise<T> {
    const ledger = await this.read();
    try {
      return await look(ledger);
    } finally {
      await ledger.close();
    }
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

function archiveOf(name: string, { archives = {} }: WatchedSites): string {
  return archives[name] === undefined ? '' : `, archive: ${archives[name]}`;
}

async function comparer(engine: string): Promise<Pick<WatchSite, 'comparePositions'>> {
  return engine === 'mysql'
    ? await import('../../../connectors/mysql/gtid.ts')
    : await import('../../../connectors/postgres/lsn.ts');
}

/** Commits a little all the time, so that positions move. */
export class Ticker {
  readonly #stopped: Promise<void>;
  #running = true;

  constructor(cluster: Cluster) {
    this.#stopped = this.#run(cluster);
  }

  async stop(): Promise<void> {
    this.#running = false;
    await this.#stopped;
  }

  async #run(cluster: Cluster): Promise<void> {
    while (this.#running) {
      // The server may be down on purpose.
      await cluster.sql(`SELECT pg_logical_emit_message(true, 'tick', '')`).catch(() => undefined);
      await sleep(100);
    }
  }
}

/** A watch within this process. */
export class RunningWatch {
  readonly lines: WatchLine[] = [];
  readonly ended: Promise<WatchResult | null>;
  readonly #stop = new AbortController();

  constructor(folder: WatchFolder, once = false) {
    const { ledger } = loadConfig(folder.config, {});
    const watch = new SystemWatch(folder.system, {
      ledger,
      connect: async ({ address, stream }, signal) =>
        ledgerSite(await connectSite(address, { jobs: 2, statementTimeoutMs: 60_000, stream }, signal)),
      timing: REAL_TIMING,
      random: Math.random,
      write: (line) => {
        this.lines.push(line);
        if (process.env['TWINPROOF_SHOW'] !== undefined) {
          process.stderr.write(`${new Date().toISOString()} ${JSON.stringify(line)}\n`);
        }
      },
      statusEveryMs: null,
      once,
      mirror: mirrorTarget(ledger, 'bank', 1, { openMirror, randomBytes }),
    });
    this.ended = watch.run(this.#stop.signal);
    // Whoever stops it looks at how it ended.
    this.ended.catch(() => undefined);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.ended;
  }

  /** Asks until something is so; fails at once when the watch has ended. */
  async sees(check: () => boolean | Promise<boolean>, what: string): Promise<void> {
    const ended = this.ended.then(
      () => {
        throw new Error(`the watch has ended before: ${what}`);
      },
      (error: unknown) => {
        throw new Error(`the watch has failed before: ${what}: ${messageOf(error)}`, { cause: error });
      },
    );
    const asking = async (): Promise<boolean> => {
      if (await check()) return true;
      await sleep(REST_MS);
      return false;
    };
    await Promise.race([until(asking, what, LIMIT_MS), ended]);
  }

  async said(event: RegExp, message: RegExp): Promise<void> {
    const found = (): boolean =>
      this.lines.some((line) => event.test(line.event) && message.test(line.message));
    await this.sees(found, `a line ${event.source} ${message.source}`);
  }
}

/** Watches until everything is proven. */
export async function watchOnce(folder: WatchFolder): Promise<WatchResult> {
  const watch = new RunningWatch(folder, true);
  const bound = setTimeout(() => void watch.stop().catch(() => undefined), LIMIT_MS);
  const result = await watch.ended.finally(() => clearTimeout(bound));
  if (result === null) throw new Error(`it did not come to an end: ${JSON.stringify(watch.lines, null, 1)}`);
  return result;
}

/** Rows by key, with their digests: as the ledger has them and as the primary does. */
export interface RowsOfBoth {
  readonly ledger: ReadonlyMap<string, string>;
  readonly primary: ReadonlyMap<string, string>;
}

/** That the ledger holds exactly the rows that the primary has now; nobody writes meanwhile, and nothing is on its way. */
export async function ledgerRows(folder: WatchFolder, table: string): Promise<RowsOfBoth> {
  const rows = (await ledgerRowsOf(folder, [table])).get(table);
  if (rows === undefined) throw new Error(`${table} was not read`);
  return rows;
}

/** The same of several tables. */
export async function ledgerRowsOf(
  folder: WatchFolder,
  tables: readonly string[],
): Promise<ReadonlyMap<string, RowsOfBoth>> {
  const address = folder.system.primary.address;
  const signal = new AbortController().signal;
  const site = ledgerSite(await connectSite(address, { jobs: 2, statementTimeoutMs: 60_000 }, signal));
  try {
    return await folder.reading(async (ledger) => {
      const rows = new Map<string, RowsOfBoth>();
      const described = await site.describeTables({ include: [...tables], exclude: [] }, signal);
      for (const description of described) {
        const primary = await rowsOfPrimary(site, ledger, description, signal);
        rows.set(description.name, { ledger: rowsOfLedger(ledger, description.name), primary });
      }
      return rows;
    });
  } finally {
    await site.close();
  }
}

function relationsOf({ core }: Ledger, table: string): readonly Relation[] {
  return core.catalog.current().filter(({ root, leaf }) => (root ?? leaf) === table);
}

async function rowsOfPrimary(
  site: WatchSite,
  ledger: Ledger,
  description: TableDescription,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  const [relation] = relationsOf(ledger, description.name);
  if (relation === undefined) throw new Error(`${description.name} is not in the ledger`);
  const pair = new Known(ledger.core.store).stream()?.pair ?? 'physical';
  const { shape, problem } = shapeOf(relation, description, pair, 'primary');
  if (shape === null) throw new Error(problem);
  const sink = new DigestSink(ledger.digester(), shape.keyFields);
  const options = { kind: 'block', rowsMax: 10_000_000, bytesMax: 2 ** 40 } as const;
  for (const range of await site.planRanges(shape, options, signal))
    await site.readRange({ shape, range }, sink, signal);
  return new Map(sink.rows.map(({ identity, row }) => [hex(identity), hex(row.digest)]));
}

function rowsOfLedger(ledger: Ledger, table: string): ReadonlyMap<string, string> {
  const held = new Map<string, string>();
  for (const one of relationsOf(ledger, table)) {
    const state = new StateAt(ledger.core, one, ledger.head());
    if (!state.complete) throw new Error(`${one.leaf} is not complete`);
    for (const { identity, row } of state.range(null, null)) {
      held.set(hex(identity), row.state === STATE.present ? hex(row.digest) : 'unknown');
    }
  }
  return held;
}

function hex(bytes: Uint8Array | null): string {
  return bytes === null ? 'null' : Buffer.from(bytes).toString('hex');
}

/** What the ledger says of a candidate. */
export interface Proven {
  /** Tables of which something is not proven. */
  readonly unproven: readonly string[];
  readonly dirty: number;
  readonly differences: readonly string[];
}

export function provenOf(folder: WatchFolder, name: string): Promise<Proven> {
  return folder.reading((ledger) => {
    const candidates = new Candidates(ledger.core);
    const candidate = candidates.byName(name);
    const known = new Known(ledger.core.store);
    const ids = new Set(known.definitions()?.tables.map(({ id }) => id));
    const relations = ledger.core.catalog.current().filter(({ table }) => ids.has(table));
    if (candidate === null) return { unproven: relations.map(({ leaf }) => leaf), dirty: 0, differences: [] };
    return {
      unproven: relations
        .filter(({ number }) => unprovenRanges(candidates.proofs(candidate, number)).length > 0)
        .map(({ leaf }) => leaf),
      dirty: [...candidates.dirty(candidate)].length,
      differences: known.differences(name).found.map(({ table, kind }) => `${table} ${kind}`),
    };
  });
}

/** Problems that the store finds with itself. */
export function problemsOf(folder: WatchFolder): Promise<readonly string[]> {
  return folder.reading((ledger) => checkLedger(ledger.core).problems);
}
