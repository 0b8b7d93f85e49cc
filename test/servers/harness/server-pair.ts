import type { PostgresVersion } from '../../../src/demo/binaries.ts';
import { type Cluster, createCluster } from './cluster.ts';
import { createLogicalPair, type LogicalPair, waitForApply } from '../../../src/demo/cluster-logical.ts';
import type { Settings } from '../../../src/demo/cluster-settings.ts';
import { createStandby, waitForReplay } from '../../../src/demo/cluster-standby.ts';
import { editStandby, type HeapTarget } from '../../../src/demo/heap-edit.ts';
import { verifierOf } from './readiness.ts';
import { Verifier } from './verify.ts';

/** Nothing writes but the test: a vacuum in the background would mend edited pages. */
const SETTINGS: Settings = { autovacuum: 'off' };

/** Every table that a publication may have; partitions go with their root. */
const PUBLISHABLE = `SELECT format('%I.%I', n.nspname, c.relname) AS name
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence = 'p'
    AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY c.oid`;

export interface PairOptions {
  readonly version?: PostgresVersion;
  /** Tables of both sites as SQL. */
  readonly schema: string;
  /** Of the candidate of a logical pair, where it differs. */
  readonly candidateSchema?: string;
  /** More of CREATE PUBLICATION's WITH list. */
  readonly publicationOptions?: string;
}

/** Two replicating servers with tables, and what compares them. */
export class ServerPair {
  readonly primary: Cluster;
  readonly candidate: Cluster;
  verifier: Verifier;
  readonly #inStep: () => Promise<unknown>;

  private constructor(
    primary: Cluster,
    candidate: Cluster,
    verifier: Verifier,
    inStep: () => Promise<unknown>,
  ) {
    this.primary = primary;
    this.candidate = candidate;
    this.verifier = verifier;
    this.#inStep = inStep;
  }

  /** A publisher and a subscriber of all its tables, which are empty. */
  static async logical(options: PairOptions): Promise<ServerPair> {
    const { version = 18, schema } = options;
    const [primary, candidate] = await Promise.all([
      createCluster({ version, name: 'publisher', settings: SETTINGS }),
      createCluster({ version, name: 'subscriber', settings: SETTINGS }),
    ]);
    return ending([primary, candidate], async () => {
      const make = async (site: Cluster, sql: string): Promise<void> => {
        await site.sql(verifierOf(version));
        await site.sql(sql);
      };
      await Promise.all([make(primary, schema), make(candidate, options.candidateSchema ?? schema)]);
      const tables = (await primary.sql(PUBLISHABLE)).map((row) => String(row['name']));
      const pair: LogicalPair = await createLogicalPair(primary, candidate, {
        tables,
        copyData: false,
        ...(options.publicationOptions === undefined
          ? {}
          : { publicationOptions: options.publicationOptions }),
      });
      const verifier = await Verifier.open(primary, candidate);
      return new ServerPair(primary, candidate, verifier, () => waitForApply(pair));
    });
  }

  /** A primary and its streaming standby. Rows that the schema brings are frozen, so that a standby's pages can be edited. */
  static async physical(options: PairOptions): Promise<ServerPair> {
    const { version = 18, schema } = options;
    const primary = await createCluster({ version, settings: SETTINGS });
    const owned = [primary];
    return ending(owned, async () => {
      await primary.sql(verifierOf(version));
      await primary.sql(schema);
      await primary.sql('VACUUM (FREEZE)');
      const candidate = await createStandby(primary, { settings: SETTINGS });
      owned.push(candidate);
      const verifier = await Verifier.open(primary, candidate);
      return new ServerPair(primary, candidate, verifier, () => waitForReplay(candidate));
    });
  }

  /** Runs SQL on the primary and waits until the candidate has it. */
  async write(sql: string): Promise<void> {
    await this.primary.sql(sql);
    await this.#inStep();
  }

  /** Runs SQL on the candidate alone: what replication did not bring. */
  async tamper(sql: string): Promise<void> {
    await this.candidate.sql(sql);
  }

  /** Edits the heap of the standby, which is restarted for it. */
  async edit(change: (target: HeapTarget) => Promise<unknown>): Promise<void> {
    await this.verifier.close();
    await editStandby(this.primary, this.candidate, change);
    this.verifier = await Verifier.open(this.primary, this.candidate);
  }

  async end(): Promise<void> {
    await this.verifier.close();
    for (const cluster of [this.candidate, this.primary]) await cluster.destroy();
  }
}

/** Ends the servers when what follows fails. */
async function ending(clusters: readonly Cluster[], make: () => Promise<ServerPair>): Promise<ServerPair> {
  try {
    return await make();
  } catch (error) {
    for (const cluster of clusters.toReversed()) await cluster.destroy();
    throw error;
  }
}
