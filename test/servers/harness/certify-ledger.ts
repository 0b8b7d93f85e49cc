import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster } from '../../../src/demo/cluster.ts';
import { Known } from '../../../src/ledger/known.ts';
import { Witness } from '../../../src/ledger/witness.ts';
import type { VerdictJson } from '../../../src/verdict/json.ts';
import { type CliResult, runCli, until } from './cli.ts';
import { provenOf, RunningWatch, type WatchFolder } from './watch.ts';

/** As `certify --format json` prints it of one candidate. */
export type CandidateVerdict = VerdictJson & {
  readonly candidate: string;
  readonly position: string | null;
  readonly ledgerPosition: string | null;
};

export interface Certified {
  readonly code: number | null;
  readonly verdict: CandidateVerdict;
}

export async function certify(
  folder: Pick<WatchFolder, 'config'>,
  ...args: readonly string[]
): Promise<Certified> {
  const result: CliResult = await runCli(['certify', '--config', folder.config, '--format', 'json', ...args]);
  if (result.stdout === '') throw new Error(result.stderr);
  const verdict: CandidateVerdict = JSON.parse(result.stdout);
  return { code: result.code, verdict };
}

/** That the primary was cut off now. */
export function fenced(): readonly string[] {
  return ['--fenced-at', new Date().toISOString(), '--fenced-by', 'power cut in a test'];
}

/** The reasons that count, as `CODE subject`. */
export function weighty({ reasons }: VerdictJson): string[] {
  return reasons.filter(({ effect }) => effect !== 'none').map(({ code, subject }) => `${code} ${subject}`);
}

/** A watch that has proven `names` whole, `tables` being all that there are. It goes on. */
export async function provenWatch(
  folder: WatchFolder,
  names: readonly string[],
  tables: number,
): Promise<RunningWatch> {
  const watch = new RunningWatch(folder);
  try {
    for (const name of names) {
      const told = (): boolean =>
        watch.lines.some(({ site, event, level }) => site === name && event === 'proven' && level === 'info');
      await until(told, `${name} is said to be proven`, 150_000);
      await becomesProven(folder, name, tables);
    }
    return watch;
  } catch (error) {
    await watch.stop().catch(() => undefined);
    throw error;
  }
}

/** An idle server may take its time to flush what only reading wrote to its log: a commit makes it do so. */
async function tick(primary: Cluster): Promise<void> {
  await primary.sql(`SELECT pg_logical_emit_message(true, 'tick', '')`);
}

/** Waits until all of a candidate is proven and nothing is dirty. */
export async function becomesProven(folder: WatchFolder, name: string, tables: number): Promise<void> {
  await seldom(() => isProven(folder, name, tables), `${name} is proven`);
}

/** As `until`, for questions that open the ledger: asked all the time they would take its processor from the watch. */
async function seldom(check: () => Promise<boolean>, what: string): Promise<void> {
  const asking = async (): Promise<boolean> => {
    if (await check()) return true;
    await sleep(300);
    return false;
  };
  await until(asking, what, 150_000);
}

async function isProven(folder: WatchFolder, name: string, tables: number): Promise<boolean> {
  try {
    const { unproven, dirty } = await provenOf(folder, name);
    const known = await folder.reading((ledger) => new Known(ledger.core.store).definitions());
    return known?.tables.length === tables && unproven.length === 0 && dirty === 0;
  } catch {
    // There is no ledger yet.
    return false;
  }
}

/** Waits until the ledger has seen everything that the primary has committed by now, and how its tables are defined. */
export async function ledgerCaughtUp(folder: WatchFolder, primary: Cluster): Promise<void> {
  const [row] = await primary.sql(
    `SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::int8::text AS us`,
  );
  const wanted = BigInt(String(row?.['us']));
  const passed = async (): Promise<boolean> => {
    await tick(primary);
    return await folder.reading(({ core }) => {
      const definitionsUs = new Known(core.store).definitions()?.knownUntilUs ?? 0n;
      return definitionsUs > wanted && (new Witness(core).read()?.timeUs ?? 0n) > wanted;
    });
  };
  await seldom(passed, 'the ledger has caught up');
}

/** A standby gets nothing more from now on, or again what there is. */
export async function setReceiving(standby: Cluster, conninfo: string | null): Promise<void> {
  await standby.sql(
    conninfo === null
      ? `ALTER SYSTEM SET primary_conninfo = ''`
      : `ALTER SYSTEM SET primary_conninfo = '${conninfo}'`,
  );
  await standby.reload();
  const receives = async (): Promise<boolean> =>
    (
      await standby.sql(`SELECT count(*)::int AS n FROM pg_stat_wal_receiver WHERE status = 'streaming'`)
    )[0]?.['n'] === (conninfo === null ? 0 : 1);
  await until(receives, conninfo === null ? 'no receiver' : 'a receiver', 90_000);
}
