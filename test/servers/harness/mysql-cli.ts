import { type CliOptions, type CliResult, type CliRun, runCli, startCli } from './cli.ts';
import { VERIFIER } from './mysql-accounts.ts';
import type { MysqlPair } from './mysql-pair.ts';
import type { MysqlServer } from './mysql-server.ts';

/** What sends the password along. Never in the URL: other users of the machine could read it there. */
const LOGIN = { MYSQL_PWD: VERIFIER.password } as const;

export function verifierUrl(server: MysqlServer, database = 'bank'): string {
  return server.url(VERIFIER.user, database);
}

export function sitesOf({ source, replica }: MysqlPair): string[] {
  return ['--primary', verifierUrl(source), '--candidate', verifierUrl(replica)];
}

/** `twinproof ARGS` as the account with the least privileges, to its end. */
export function runAsVerifier(args: readonly string[]): Promise<CliResult> {
  return runCli(args, { env: LOGIN });
}

/** `twinproof verify` on a pair, to its end, with the result as JSON. */
export function verifyPair(pair: MysqlPair, ...more: readonly string[]): Promise<CliResult> {
  return runAsVerifier(['verify', ...sitesOf(pair), '--format', 'json', ...more]);
}

/** The same under way. */
export function startVerify(
  pair: MysqlPair,
  more: readonly string[],
  options: Omit<CliOptions, 'env'> = {},
): CliRun {
  return startCli(['verify', ...sitesOf(pair), '--format', 'json', ...more], { ...options, env: LOGIN });
}
