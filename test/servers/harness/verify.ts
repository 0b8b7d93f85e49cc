import { connectPostgres, type PostgresConnector } from '../../../connectors/postgres/connector.ts';
import { REAL_TIMING } from '../../../src/commands/timing.ts';
import { parseUrl } from '../../../src/config/url.ts';
import type { Difference, TableResult, VerifyResult } from '../../../src/compare/result.ts';
import type { Connector } from '../../../src/connector/contract.ts';
import { DEFAULT_LIMITS, type Limits } from '../../../src/compare/site-pair.ts';
import { verify } from '../../../src/compare/verify.ts';
import type { Cluster } from '../../../src/demo/cluster.ts';

export interface VerifierOptions {
  readonly database?: string;
  /** Who reads on both sites; default the role `verifier` of readiness.ts, which may read and nothing else. */
  readonly user?: string;
}

export interface RunOptions {
  /** The primary never says that it is quiet, so that every suspect is settled round by round. */
  readonly restless?: boolean;
  readonly exclude?: readonly string[];
  readonly limits?: Partial<Limits>;
  readonly onDifference?: (difference: Difference) => Promise<void>;
}

/** The comparison of two sites within this process, with the connectors of the product, kept open between runs. */
export class Verifier {
  readonly primary: Connector;
  readonly candidate: Connector;
  #restless = false;

  constructor(primary: Connector, candidate: Connector) {
    this.primary = primary;
    this.candidate = candidate;
    const head = primary.head.bind(primary);
    primary.head = async (signal) => {
      const reading = await head(signal);
      return this.#restless ? { ...reading, quiet: null } : reading;
    };
  }

  static async open(
    primary: Cluster,
    candidate: Cluster,
    { database = 'postgres', user = 'verifier' }: VerifierOptions = {},
  ): Promise<Verifier> {
    const options = { jobs: DEFAULT_LIMITS.jobs, statementTimeoutMs: 0 };
    const connect = (cluster: Cluster): Promise<PostgresConnector> =>
      connectPostgres(parseUrl(cluster.url(database, user), 'secret').address, options, forever());
    return new Verifier(await connect(primary), await connect(candidate));
  }

  run(tables: readonly string[], options: RunOptions = {}): Promise<VerifyResult> {
    this.#restless = options.restless ?? false;
    return verify({
      primary: this.primary,
      candidate: this.candidate,
      selection: { include: tables, exclude: options.exclude ?? [] },
      limits: { ...DEFAULT_LIMITS, ...options.limits },
      throttle: { rowsPerSecondMax: null, lagMaxMs: null },
      timing: REAL_TIMING,
      signal: forever(),
      showValues: false,
      onDifference: options.onDifference ?? null,
      onProgress: null,
      checkpoint: null,
    });
  }

  /** What a run finds in one table. */
  async find(table: string, options: RunOptions = {}): Promise<Found> {
    return this.#once([table], options).then((found) => one(found, table));
  }

  /**
   * What two runs find, one on sites at rest and one that settles every suspect. Where they do not agree, a reason
   * says so; but only settling asks an index, which has a key that rotted otherwise.
   */
  async findTwice(tables: readonly string[], options: RunOptions = {}): Promise<ReadonlyMap<string, Found>> {
    const still = await this.#once(tables, options);
    const settled = await this.#once(tables, { ...options, restless: true });
    const settledText = (table: string): string => {
      const found = settled.get(table);
      return JSON.stringify(
        found && { ...found, reasons: found.reasons.filter((code) => code !== 'TP-INDEX-CORRUPT') },
      );
    };
    return new Map(
      [...still].map(([table, found]) => [
        table,
        JSON.stringify(found) === settledText(table)
          ? found
          : { ...found, reasons: [...found.reasons, `settled: ${settledText(table)}`] },
      ]),
    );
  }

  async #once(tables: readonly string[], options: RunOptions): Promise<ReadonlyMap<string, Found>> {
    return foundIn(await this.run(tables, options));
  }

  async close(): Promise<void> {
    await Promise.all([this.primary.close(), this.candidate.close()]);
  }
}

/** The part of a table's result that tests look at. */
export interface Found {
  readonly outcome: string;
  readonly missing: number;
  readonly extra: number;
  readonly changed: number;
  /** Such as `changed id=1: note`, sorted. */
  readonly samples: readonly string[];
  /** Codes of the reasons, without that of a difference. */
  readonly reasons: readonly string[];
}

export const SAME: Found = { outcome: 'same', missing: 0, extra: 0, changed: 0, samples: [], reasons: [] };

/** What a run found, by the table's name without `public.`. */
export function foundIn({ tables }: VerifyResult): ReadonlyMap<string, Found> {
  return new Map(tables.map((result) => [shortName(result.table), foundOf(result)]));
}

/** What was found in one table. @throws Error when it is not there. */
export function one(found: ReadonlyMap<string, Found>, table: string): Found {
  const result = found.get(shortName(table));
  if (result === undefined) throw new Error(`${table} is not in the result`);
  return result;
}

function foundOf({ outcome, differences, samples, reasons }: TableResult): Found {
  const codes = [...new Set(reasons.map(({ code }) => code))];
  return {
    outcome,
    missing: Number(differences.missing),
    extra: Number(differences.extra),
    changed: Number(differences.changed),
    samples: samples.map(sampleText).sort(),
    reasons: codes.filter((code) => code !== 'TP-DIFFERENT').sort(),
  };
}

function shortName(table: string): string {
  return table.replace(/^public\./, '');
}

/** How many rows of a table differ, as `found` expects it. */
export function differing(
  counts: Partial<Pick<Found, 'missing' | 'extra' | 'changed'>>,
  samples: string[],
): Found {
  return { ...SAME, outcome: 'different', ...counts, samples: samples.toSorted() };
}

function sampleText({ kind, key, columns }: Difference): string {
  const names = Object.entries(key).map(([name, value]) =>
    name === '(row digest)' ? '*' : `${name}=${value}`,
  );
  return `${kind} ${names.join(', ')}${columns === undefined ? '' : `: ${columns.join(', ')}`}`;
}

function forever(): AbortSignal {
  return new AbortController().signal;
}
