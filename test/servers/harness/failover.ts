import type { PostgresVersion } from '../../../src/demo/binaries.ts';
import type { Cluster } from '../../../src/demo/cluster.ts';
import { createStandby, waitForReplay, waitForStreaming } from '../../../src/demo/cluster-standby.ts';
import { waitUntil } from '../../../src/demo/cluster-wait.ts';
import { runCli } from './cli.ts';
import { ServerSet } from './server-set.ts';
import { ServerSwitch } from './server-switch.ts';
import { ledgerRowsOf, RunningWatch, type WatchedSite, WatchFolder } from './watch.ts';

export const TABLES = `CREATE TABLE account (id bigint PRIMARY KEY, owner text);
  CREATE TABLE tag (name text PRIMARY KEY, note text)`;
export const SCHEMA = `${TABLES};
  INSERT INTO account SELECT i, 'owner ' || i FROM generate_series(1, 3000) i;
  INSERT INTO tag SELECT 'tag ' || i, 'x' FROM generate_series(1, 100) i`;
export const NAMES = ['public.account', 'public.tag'];

const SYNCHRONISING = 17;
const LIMIT_MS = 120_000;

/** How a standby of a name reaches a server; with a database, as whoever copies slots needs it. */
export function conninfo(server: Cluster, name: string): string {
  return `host=127.0.0.1 port=${server.port} user=postgres dbname=postgres application_name=${name}`;
}

/** A primary behind an address that can lead elsewhere, a standby that may take its place, and what watches them. */
export class FailoverSites {
  readonly servers = new ServerSet();
  readonly primary: Cluster;
  /** Copies the primary's slots where its version can. */
  readonly heir: Cluster;
  readonly address: ServerSwitch;
  readonly #version: PostgresVersion;
  #folder: WatchFolder | null = null;
  #watch: RunningWatch | null = null;

  private constructor(
    version: PostgresVersion,
    servers: ServerSet,
    sites: readonly [Cluster, Cluster, ServerSwitch],
  ) {
    this.#version = version;
    this.servers = servers;
    [this.primary, this.heir, this.address] = sites;
  }

  static async open(version: PostgresVersion, schema: string): Promise<FailoverSites> {
    const servers = new ServerSet();
    const primary = await servers.cluster(version);
    await primary.sql(schema);
    const copying = { hot_standby_feedback: 'on', sync_replication_slots: 'on' };
    const settings = {
      primary_conninfo: conninfo(primary, 'heir'),
      ...(version >= SYNCHRONISING ? copying : {}),
    };
    const heir = servers.add(await createStandby(primary, { name: 'heir', slot: 'heir', settings }));
    await waitForStreaming(heir);
    return new FailoverSites(version, servers, [primary, heir, await ServerSwitch.to(primary.port)]);
  }

  /** As the configuration names the primary. */
  get site(): WatchedSite {
    return {
      url: (database, user) => `postgres://${user}@127.0.0.1:${this.address.port}/${database}`,
    };
  }

  get folder(): WatchFolder {
    if (this.#folder === null) throw new Error('nothing is configured yet');
    return this.#folder;
  }

  get watch(): RunningWatch {
    if (this.#watch === null) throw new Error('nothing watches yet');
    return this.#watch;
  }

  configure(candidates: Readonly<Record<string, Cluster>>): void {
    this.#folder = new WatchFolder({ primary: this.site, candidates, policy: '{ rpo: 1h, maxTail: 1h }' });
  }

  watchWith(watch: RunningWatch): void {
    this.#watch = watch;
  }

  async end(): Promise<void> {
    await this.#watch?.stop().catch(() => undefined);
    await this.servers.end();
    await this.address.close();
    this.#folder?.remove();
  }

  /** What `preflight --sql` prints for the server behind the address, as its DBA runs it there. */
  async prepare(server: Cluster): Promise<string> {
    const { stdout } = await runCli(['preflight', 'bank/primary', '--config', this.folder.config, '--sql']);
    const lines = stdout.split('\n').filter((line) => !line.startsWith('--'));
    for (const statement of lines.join('\n').split(/;\n/))
      if (statement.trim() !== '') await server.sql(statement);
    return stdout;
  }

  /** Changes of slots that are to outlive a failover are handed on only when the heir has them. */
  async holdBack(): Promise<void> {
    await this.primary.sql(`ALTER SYSTEM SET synchronized_standby_slots = 'heir'`);
    await this.primary.reload();
  }

  /** Ends when the heir has copies of slots that are of use after its promotion. */
  async inStep(...slots: readonly string[]): Promise<void> {
    if (this.#version < SYNCHRONISING) return;
    const copied = async (): Promise<boolean> => {
      await this.primary.sql('SELECT pg_log_standby_snapshot()');
      const rows = await this.heir.sql(
        'SELECT FROM pg_replication_slots WHERE slot_name = ANY ($1) AND synced AND NOT temporary',
        [slots],
      );
      return rows.length === slots.length;
    };
    await waitUntil(copied, LIMIT_MS, () => 'the heir has no copies of the slots');
    await waitForReplay(this.heir);
  }

  /** Nobody is told: the heir is a primary, and the address leads to it. */
  async failOver(): Promise<void> {
    await this.primary.kill();
    await this.heir.promote();
    this.address.lead(this.heir.port);
  }
}

/** Ends when the ledger has exactly the rows that stand behind the primary's address; a row with that key among them. */
export async function hasRowsOf(sites: FailoverSites, wanted: number): Promise<void> {
  const same = async (): Promise<boolean> => {
    try {
      const rows = await ledgerRowsOf(sites.folder, NAMES);
      const [accounts] = NAMES.map((name) => rows.get(name));
      const isWhole = NAMES.every((name) => {
        const both = rows.get(name);
        return both !== undefined && equal(both.ledger, both.primary);
      });
      return isWhole && accounts?.ledger.size === wanted;
    } catch {
      // Tables that are read anew are not complete for a while.
      return false;
    }
  };
  await sites.watch.sees(same, `the ledger has the ${wanted} accounts of the primary`);
}

function equal(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  return a.size === b.size && [...a].every(([key, digest]) => b.get(key) === digest);
}

/** What is known of tables, in which generation. */
export function generations({ folder }: FailoverSites): Promise<readonly string[]> {
  return folder.reading(({ core }) =>
    core.catalog.current().map(({ leaf, number, completeFrom }) => `${leaf} ${number} ${completeFrom}`),
  );
}

export function gapsOf({ watch }: FailoverSites): string[] {
  return watch.lines.filter(({ event }) => event === 'gap').map(({ message }) => message);
}

export async function timeline({ folder }: FailoverSites): Promise<string | undefined> {
  return folder.reading((ledger) => ledger.position?.split('/')[1]);
}
