import { connectPostgres } from '../../../connectors/postgres/connector.ts';
import { parseUrl } from '../../../src/config/url.ts';
import type { Connector } from '../../../src/connector/contract.ts';
import type { PairKind } from '../../../src/connector/table.ts';
import type { Cluster } from '../../../src/demo/cluster.ts';
import { judgeReadiness, type ReadinessResult } from '../../../src/readiness/judge.ts';
import type { PromotionMode } from '../../../src/readiness/rule.ts';
import { expect } from 'vitest';
import { until } from './cli.ts';

/** The least that every rule can be read with (README, "Least privilege"), and nothing to write with. */
export function verifierOf(version: number): string {
  const functions = ['pg_show_all_file_settings()', 'pg_hba_file_rules()'];
  if (version >= 15) functions.push('pg_ident_file_mappings()');
  const grants = functions.map((name) => `GRANT EXECUTE ON FUNCTION pg_catalog.${name} TO verifier;`);
  return `CREATE ROLE verifier LOGIN; GRANT pg_monitor, pg_read_all_data TO verifier; ${grants.join(' ')}`;
}

const FOUND_WITHIN_MS = 10_000;

export interface Judging {
  readonly deep?: boolean;
  /** Told once; default: everything of the pair's kind. */
  readonly inScope?: (table: string) => boolean;
}

/** What `readiness` finds on two servers, read by the least-privilege role. */
export class ReadinessPair {
  readonly primary: Cluster;
  readonly candidate: Cluster;
  readonly #pair: PairKind;

  constructor(primary: Cluster, candidate: Cluster, pair: PairKind) {
    this.primary = primary;
    this.candidate = candidate;
    this.#pair = pair;
  }

  async judge({ deep = false, inScope }: Judging = {}): Promise<readonly ReadinessResult[]> {
    const [primary, candidate] = await Promise.all([
      this.#read(this.primary, deep),
      this.#read(this.candidate, deep),
    ]);
    return judgeReadiness({
      pair: this.#pair,
      primary,
      candidate,
      deep,
      ...(inScope === undefined ? {} : { inScope }),
    });
  }

  /** `CODE subject` of everything that failed and weighs more than a note, or is unknown and would block. */
  async trouble(judging: Judging = {}): Promise<readonly string[]> {
    const results = await this.judge(judging);
    const weighs = ({ state, severity }: ReadinessResult, mode: PromotionMode): boolean =>
      state === 'fail' ? severity[mode] !== 'info' : severity[mode] === 'block';
    return results
      .filter((one) => one.state !== 'pass' && (weighs(one, 'switchover') || weighs(one, 'failover')))
      .map(({ code, state, subject }) => `${code} ${state === 'fail' ? '' : `${state} `}${subject}`);
  }

  /** Every finding of the rule, which must come up. */
  async find(code: string, judging: Judging = {}): Promise<readonly ReadinessResult[]> {
    let found: readonly ReadinessResult[] = [];
    await until(
      async () => {
        found = (await this.judge(judging)).filter((one) => one.code === code && one.state === 'fail');
        return found.length > 0;
      },
      `${code} was found`,
      FOUND_WITHIN_MS,
    );
    for (const one of found) {
      expect(one.message).not.toBe('');
      expect(one.hint).not.toBe('');
    }
    return found;
  }

  /** Makes a fault, sees exactly this rule find it, mends it, and sees nothing found any more. */
  async fault(
    codes: string | readonly string[],
    make: () => Promise<unknown>,
    mend: () => Promise<unknown>,
    judging: Judging = {},
  ): Promise<readonly ReadinessResult[]> {
    const wanted = typeof codes === 'string' ? [codes] : codes;
    const results: ReadinessResult[] = [];
    try {
      await make();
      for (const code of wanted) results.push(...(await this.find(code, judging)));
      const others = (await this.trouble(judging)).map((text) => text.replace(/ .*/s, ''));
      expect([...new Set(others)].filter((code) => !wanted.includes(code))).toEqual([]);
    } finally {
      await mend();
    }
    await this.quiet(judging);
    return results;
  }

  /** Nothing is found above a note, in the end. */
  async quiet(judging: Judging = {}): Promise<void> {
    let last: readonly string[] = [];
    await until(
      async () => {
        last = await this.trouble(judging);
        return last.length === 0;
      },
      'quiet',
      FOUND_WITHIN_MS,
    ).catch((error: unknown) => {
      expect(last).toEqual([]);
      throw error;
    });
  }

  async #read(
    cluster: Cluster,
    deep: boolean,
  ): Promise<{
    readonly identity: Awaited<ReturnType<Connector['identify']>>;
    readonly facts: Awaited<ReturnType<Connector['readiness']>>;
  }> {
    const signal = new AbortController().signal;
    const address = parseUrl(cluster.url('postgres', 'verifier'), 'secret').address;
    const site = await connectPostgres(address, { jobs: 1, statementTimeoutMs: 60_000 }, signal);
    try {
      return {
        identity: await site.identify(signal),
        facts: await site.readiness(signal, { pair: this.#pair, deep }),
      };
    } finally {
      await site.close();
    }
  }
}
