import type { PostgresVersion } from '../../../src/demo/binaries.ts';
import type { Cluster } from '../../../src/demo/cluster.ts';
import { createStandby, waitForReplay, waitForStreaming } from '../../../src/demo/cluster-standby.ts';
import { waitUntil } from '../../../src/demo/cluster-wait.ts';
import { runCli } from './cli.ts';
import { ServerSet } from './server-set.ts';
import { ServerSwitch } from './server-switch.ts';
import { RunningWatch, type WatchedSite, WatchFolder } from './watch.ts';

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
