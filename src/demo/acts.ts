import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { countText } from '../report/quantity.ts';
import { rotStandby } from './bit-rot.ts';
import { DATABASE, ROWS, TABLES } from './bank-schema.ts';
import { type BankSites, siteUrl } from './bank-sites.ts';
import { bankSession } from './bank-session.ts';
import { BankWriter } from './bank-writer.ts';
import { type BrokenRow, matchRows } from './broken-row.ts';
import type { Cluster } from './cluster.ts';
import { type LogicalPair, waitForApply } from './cluster-logical.ts';
import { waitForReplay } from './cluster-standby.ts';
import type { DemoIo } from './demo-io.ts';
import { writeLocally } from './local-writes.ts';
import type { Narrator } from './narrator.ts';
import { OPENSSL_LINE, opensslVerify, opensslVersion } from './openssl-check.ts';
import { readFindings, writeComparison } from './row-comparison.ts';

/** What an act works with. */
export interface Scene {
  readonly narrator: Narrator;
  readonly io: DemoIo;
  /** Folder of this run: the key, the certificates, the findings. */
  readonly folder: string;
  /** What did not come out as it must; the demo fails when it is not empty. */
  readonly problems: string[];
}

/** An act with servers of PostgreSQL. */
export interface Stage extends Scene {
  readonly sites: BankSites;
}

/** The servers of the bank, once they run. */
export interface Bank {
  readonly primary: Cluster;
  readonly standby: Cluster;
  readonly replica: Cluster;
  readonly pair: LogicalPair;
}

export const KEY = 'twinproof.key';
const SAFE_CERTIFICATE = 'standby-safe.cert';
const BROKEN_CERTIFICATE = 'standby-broken.cert';

export async function openBank(stage: Stage): Promise<{ bank: Bank; writer: BankWriter }> {
  const { narrator, sites } = stage;
  const [primary, replica] = await narrator.step(
    'starting two servers',
    () => Promise.all([sites.server('primary'), sites.server('replica')]),
    ([one, other]) =>
      `PostgreSQL ${one.version}: a primary (port ${one.port}) and a second server (port ${other.port})`,
  );
  await narrator.step(
    `loading ${countText(ROWS)} rows`,
    () => sites.load(primary),
    () => `${countText(ROWS)} rows in ${TABLES.length} tables: customers, accounts, transfers, purchases`,
  );
  const writer = await BankWriter.start(() => bankSession(primary));
  const [standby, pair] = await narrator.step(
    'copying the primary while it is written to',
    () => Promise.all([sites.standby(primary), sites.subscribe(primary, replica)]),
    ([copy]) =>
      `a streaming standby (port ${copy.port}), and a subscription on the second server, which applies rows`,
  );
  narrator.check(true, `the bank is open: ${writer.report.perSecond} transactions a second, all the time`);
  return { bank: { primary, standby, replica, pair }, writer };
}

export async function proveLive(stage: Stage, bank: Bank): Promise<void> {
  const { narrator } = stage;
  for (const candidate of [bank.standby, bank.replica]) {
    if (candidate !== bank.standby) narrator.gap();
    const result = await narrator.command(['verify', ...sitesOf(bank, candidate)], ['Tables']);
    expectExit(stage, `verify of the ${candidate.name}`, result.exitCode, 0);
  }
}

export async function switchOver(stage: Stage, bank: Bank, writer: BankWriter): Promise<void> {
  const { narrator, folder } = stage;
  await narrator.step(
    'stopping the writer',
    async () => {
      const report = await writer.stop();
      await waitForReplay(bank.standby);
      return report;
    },
    (report) => `the writer is stopped after ${countText(report.transactions)} transactions`,
  );
  const key = join(folder, KEY);
  narrator.gap();
  expectExit(stage, 'keygen', await narrator.silentCommand(['keygen', '--out', key]), 0);
  const out = ['--key', key, '--out', join(folder, SAFE_CERTIFICATE)];
  const args = ['certify', ...sitesOf(bank, bank.standby), '--quiesced', ...out];
  const result = await narrator.command(args, ['integrity', 'Against', 'Short']);
  expectExit(stage, 'certify of the healthy standby (SAFE)', result.exitCode, 0);
}

export async function rot(stage: Stage, bank: Bank): Promise<void> {
  const { narrator } = stage;
  const rotten = await narrator.step(
    'the standby is switched off, and its disk decays',
    () => rotStandby(bank.primary, bank.standby),
    ({ amountBefore, amountAfter }) =>
      `while the standby was off, one bit of its files flipped (a transfer of ${amountBefore} reads ${amountAfter}), and one customer was lost; now it runs again`,
  );
  const writer = await BankWriter.start(() => bankSession(bank.primary));
  try {
    const health = await replicationHealth(bank);
    narrator.check(true, `what monitoring sees: ${health}: all is well`);
    await findAgain(stage, bank, bank.standby, rotten.rows, 'standby');
    narrator.gap();
    const key = ['--key', join(stage.folder, KEY), '--out', join(stage.folder, BROKEN_CERTIFICATE)];
    const args = ['certify', ...sitesOf(bank, bank.standby), ...key];
    const result = await narrator.command(args, ['integrity', 'Against']);
    expectExit(stage, 'certify of the broken standby (NOT_SAFE)', result.exitCode, 2);
  } finally {
    await writer.stop();
  }
}

export async function writeBehind(stage: Stage, bank: Bank): Promise<void> {
  const { narrator, folder } = stage;
  const writer = await BankWriter.start(() => bankSession(bank.primary));
  try {
    const broken = await narrator.step(
      'somebody writes to the replica',
      async () => {
        await waitForApply(bank.pair);
        return writeLocally(bank.replica);
      },
      (rows) =>
        `${rows.length} rows of the replica were edited by hand; the subscription goes on without a word`,
    );
    await findAgain(stage, bank, bank.replica, broken, 'replica');
    narrator.gap();
    const out = ['--key', join(folder, KEY), '--out', join(folder, 'replica-broken.cert')];
    const args = ['certify', ...sitesOf(bank, bank.replica), ...out];
    const result = await narrator.command(args, ['integrity', 'Against']);
    expectExit(stage, 'certify of the broken replica (NOT_SAFE)', result.exitCode, 2);
    narrator.gap();
    narrator.note(
      'The sequence was not broken for this: sequences are not replicated with rows, and it was forgotten.',
    );
  } finally {
    await writer.stop();
  }
}

/** Verifies, and shows the rows that were broken beside those that were found. */
async function findAgain(
  stage: Stage,
  bank: Bank,
  candidate: Cluster,
  broken: readonly BrokenRow[],
  name: string,
): Promise<void> {
  const { narrator, problems, folder } = stage;
  const file = join(folder, `${name}-differences.jsonl`);
  narrator.gap();
  const args = ['verify', ...sitesOf(bank, candidate), '--differences', file];
  const result = await narrator.command(args, ['Rows that differ']);
  expectExit(stage, `verify of the broken ${name}`, result.exitCode, 2);
  const matches = matchRows(broken, await readFindings(file));
  narrator.gap();
  narrator.print((page) => writeComparison(page, matches));
  narrator.gap();
  const wrong = matches.filter((match) => match.broken === null || match.found === null).length;
  if (wrong > 0) problems.push(`${wrong} rows of the ${name} were missed, or found though nothing was done`);
  narrator.check(
    wrong === 0,
    wrong === 0
      ? `${matches.length} rows were broken, these ${matches.length} were found, and no other`
      : 'what was found is not what was broken',
  );
}

export async function checkEvidence(stage: Stage): Promise<void> {
  const { narrator, folder } = stage;
  const publicKey = join(folder, `${KEY}.pub`);
  const safe = join(folder, SAFE_CERTIFICATE);
  const result = await narrator.command(
    ['certificate', 'check', safe, '--key', publicKey],
    ['The verdict', '✔ SAFE', 'OK SAFE'],
  );
  expectExit(stage, 'certificate check', result.exitCode, 0);
  narrator.gap();
  await checkWithOpenssl(stage, [safe, join(folder, BROKEN_CERTIFICATE)], publicKey);
  const forged = join(folder, 'forged.cert');
  await forge(join(folder, BROKEN_CERTIFICATE), forged);
  narrator.gap();
  narrator.note('The broken standby’s certificate, edited to say SAFE:');
  const refused = await narrator.command(['certificate', 'check', forged, '--key', publicKey], []);
  expectExit(stage, 'check of a forged certificate', refused.exitCode, 2);
}

async function checkWithOpenssl(stage: Stage, files: readonly string[], publicKey: string): Promise<void> {
  const { narrator, folder, problems } = stage;
  const openssl = await opensslVersion();
  if ('why' in openssl) {
    narrator.note(`Not checked with stock openssl: ${openssl.why}. The README has the recipe.`);
    return;
  }
  narrator.note(`The same with stock ${openssl.version} and nothing of ours (the README has the recipe):`);
  narrator.commandLine([...OPENSSL_LINE, '-rawin', '-in', 'signed.bin', '-sigfile', 'signature.bin']);
  for (const file of files) {
    const { good, said } = await opensslVerify(folder, file, publicKey);
    if (!good) problems.push(`openssl refuses ${file}`);
    narrator.check(good, `${file.slice(folder.length + 1)}: ${said}`);
  }
}

/** What a hurried person might try: the verdict in the payload is replaced, the signature left. */
async function forge(from: string, to: string): Promise<void> {
  await copyFile(from, to);
  const text = await readFile(to, 'utf8');
  const changed = text.replace(/("payload": *")([^"]*)/, (_whole, name: string, payload: string) => {
    const statement = Buffer.from(payload, 'base64').toString('utf8').replace('"NOT_SAFE"', '"SAFE"');
    return `${name}${Buffer.from(statement).toString('base64')}`;
  });
  await writeFile(to, changed);
}

async function replicationHealth({ primary, standby }: Bank): Promise<string> {
  await waitForReplay(standby);
  const [row] = await primary.query(
    DATABASE,
    `SELECT state, coalesce(round(extract(epoch FROM replay_lag) * 1000), 0)::int AS lag FROM pg_stat_replication
      WHERE application_name = $1`,
    [standby.name],
  );
  return `${String(row?.['state'])}, replay lag ${String(row?.['lag'])} ms`;
}

function sitesOf(bank: Bank, candidate: Cluster): readonly string[] {
  return ['--primary', siteUrl(bank.primary), '--candidate', siteUrl(candidate)];
}

export function expectExit(stage: Scene, what: string, code: number, wanted: number): void {
  if (code !== wanted) stage.problems.push(`${what} ended with exit code ${code} instead of ${wanted}`);
}
