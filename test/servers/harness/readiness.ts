import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { connectPostgres } from '../../../connectors/postgres/connector.ts';
import { parseUrl } from '../../../src/config/url.ts';
import type { Connector } from '../../../src/connector/contract.ts';
import type { ReadinessFacts } from '../../../src/connector/facts.ts';
import type { Identity } from '../../../src/connector/identity.ts';
import type { PairKind } from '../../../src/connector/table.ts';
import type { Cluster } from '../../../src/demo/cluster.ts';
import { TwinproofError } from '../../../src/errors.ts';
import { judgeReadiness, type ReadinessResult } from '../../../src/readiness/judge.ts';
import type { PromotionMode } from '../../../src/readiness/rule.ts';

/** The least by which every command but `watch` sees all it looks for (README), and nothing to write with. */
export function verifierOf(version: number): string {
  const functions = [
    'pg_show_replication_origin_status()',
    'pg_show_all_file_settings()',
    'pg_hba_file_rules()',
  ];
  if (version >= 15) functions.push('pg_ident_file_mappings()');
  const grants = functions.map((name) => `GRANT EXECUTE ON FUNCTION pg_catalog.${name} TO verifier;`);
  return `CREATE ROLE verifier LOGIN; GRANT pg_monitor, pg_read_all_data TO verifier; ${grants.join(' ')}`;
}

const FOUND_WITHIN_MS = 30_000;

export interface Judging {
  readonly deep?: boolean;
  /** Told once; default: everything of the pair's kind. */
  readonly inScope?: (table: string) => boolean;
}

interface ReadSite {
  readonly identity: Identity;
  readonly facts: ReadinessFacts;
}

/** What `readiness` finds on two servers, read by the least-privilege role over connections that are kept. */
export class ReadinessPair {
  readonly primary: Cluster;
  readonly candidate: Cluster;
  readonly #pair: PairKind;
  readonly #sites = new Map<Cluster, Connector>();

  constructor(primary: Cluster, candidate: Cluster, pair: PairKind) {
    this.primary = primary;
    this.candidate = candidate;
    this.#pair = pair;
  }

  async judge({ deep = false, inScope }: Judging = {}): Promise<readonly ReadinessResult[]> {
    const [primary, candidate] = await Promise.all([
      this.#read(this.primary, 'primary', deep),
      this.#read(this.candidate, 'candidate', deep),
    ]);
    return judgeReadiness({
      pair: this.#pair,
      primary,
      candidate,
      deep,
      ...(inScope === undefined ? {} : { inScope }),
    });
  }

  async close(): Promise<void> {
    for (const site of this.#sites.values()) await site.close();
  }

  /** Once more where the server was restarted meanwhile. */
  async #read(cluster: Cluster, as: 'primary' | 'candidate', deep: boolean): Promise<ReadSite> {
    try {
      return await this.#readOnce(cluster, as, deep);
    } catch (error) {
      if (!(error instanceof TwinproofError) || error.code !== 'TP-CONNECTION-LOST') throw error;
      return this.#readOnce(cluster, as, deep);
    }
  }

  async #readOnce(cluster: Cluster, as: 'primary' | 'candidate', deep: boolean): Promise<ReadSite> {
    const signal = new AbortController().signal;
    const site = this.#sites.get(cluster) ?? (await connectAs(cluster, signal));
    this.#sites.set(cluster, site);
    return {
      identity: await site.identify(signal),
      facts: await site.readiness(signal, { pair: this.#pair, as, deep }),
    };
  }
}

function connectAs(cluster: Cluster, signal: AbortSignal): Promise<Connector> {
  return openVerifier(cluster.url('postgres', 'verifier'), signal);
}

/** A site of its own, as the least-privilege role. */
export function openVerifier(url: string, signal: AbortSignal): Promise<Connector> {
  const { address } = parseUrl(url, 'secret');
  return connectPostgres(address, { jobs: 1, statementTimeoutMs: 60_000 }, signal);
}

/** `CODE subject` of everything that failed and weighs more than a note, or is unknown and would block. */
export function troubleIn(results: readonly ReadinessResult[]): readonly string[] {
  const weighs = ({ state, severity }: ReadinessResult, mode: PromotionMode): boolean =>
    state === 'fail' ? severity[mode] !== 'info' : severity[mode] === 'block';
  return results
    .filter((one) => one.state !== 'pass' && (weighs(one, 'switchover') || weighs(one, 'failover')))
    .map(({ code, state, subject }) => `${code} ${state === 'fail' ? '' : `${state} `}${subject}`);
}

/** Judges until `done`, within bounds; the last results either way. */
async function judgeUntil(
  pair: ReadinessPair,
  judging: Judging,
  done: (results: readonly ReadinessResult[]) => boolean,
): Promise<readonly ReadinessResult[]> {
  const deadline = Date.now() + FOUND_WITHIN_MS;
  for (;;) {
    const results = await pair.judge(judging);
    if (done(results) || Date.now() > deadline) return results;
    await sleep(50);
  }
}

function failuresOf(results: readonly ReadinessResult[], code: string): readonly ReadinessResult[] {
  return results.filter((one) => one.code === code && one.state === 'fail');
}

/** Every finding of the rule, which must come up. */
export async function expectFinding(
  pair: ReadinessPair,
  code: string,
  judging: Judging = {},
): Promise<readonly ReadinessResult[]> {
  const results = await judgeUntil(pair, judging, (seen) => failuresOf(seen, code).length > 0);
  const found = failuresOf(results, code);
  expect(found.map((one) => one.code)).toContain(code);
  for (const { message, hint } of found) expect([message, hint]).not.toContain('');
  return found;
}

/** The rule finds nothing any more, in the end. */
export async function expectGone(pair: ReadinessPair, code: string, judging: Judging = {}): Promise<void> {
  const results = await judgeUntil(pair, judging, (seen) => failuresOf(seen, code).length === 0);
  expect(failuresOf(results, code)).toEqual([]);
}

/** Nothing is found above a note, in the end. */
export async function expectQuiet(pair: ReadinessPair, judging: Judging = {}): Promise<void> {
  const results = await judgeUntil(pair, judging, (seen) => troubleIn(seen).length === 0);
  expect(troubleIn(results)).toEqual([]);
}

/** Makes a fault, sees exactly these rules find it, mends it, and sees nothing found any more. */
export async function expectFault(
  pair: ReadinessPair,
  codes: string | readonly string[],
  make: () => Promise<unknown>,
  mend: () => Promise<unknown>,
  judging: Judging = {},
): Promise<readonly ReadinessResult[]> {
  const wanted = (typeof codes === 'string' ? [codes] : [...codes]).sort();
  let results: readonly ReadinessResult[] = [];
  const blamed = (seen: readonly ReadinessResult[]): readonly string[] =>
    [...new Set(troubleIn(seen).map((text) => text.replace(/ .*/s, '')))].sort();
  try {
    await make();
    results = await judgeUntil(pair, judging, (seen) => blamed(seen).join() === wanted.join());
  } finally {
    await mend();
  }
  expect(blamed(results)).toEqual(wanted);
  await expectQuiet(pair, judging);
  return results.filter((one) => one.state === 'fail' && wanted.includes(one.code));
}
