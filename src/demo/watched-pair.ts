import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Scene } from './acts.ts';
import { DATABASE } from './bank-schema.ts';
import { siteUrl } from './bank-sites.ts';
import type { Cluster } from './cluster.ts';

const CONFIG = 'twinproof.yaml';
export const SYSTEM = 'bank';

export function configFile(folder: string): string {
  return join(folder, CONFIG);
}

/** Writes the configuration of a pair into a folder; `more`: lines of YAML behind it. The answer is its path. */
export function writeConfig(
  folder: string,
  { primary, standby }: { readonly primary: Cluster; readonly standby: Cluster },
  more = '',
): Promise<string> {
  return writeConfigOf(folder, { primary: siteUrl(primary), candidate: siteUrl(standby) }, more);
}

/** The same of sites that are given by their URLs. */
export async function writeConfigOf(
  folder: string,
  { primary, candidate }: { readonly primary: string; readonly candidate: string },
  more = '',
): Promise<string> {
  const config = configFile(folder);
  await writeFile(
    config,
    `systems:
  ${SYSTEM}:
    primary: { url: "${primary}", site: pangyo }
    candidates:
      - { name: gasan, url: "${candidate}", site: gasan }
    policy: { rpo: 60s, maxTail: 60s }
ledger: { path: ./ledger }
${more}`,
  );
  return config;
}

export function preflightArgs(config: string): readonly string[] {
  return ['preflight', `${SYSTEM}/primary`, '--sql', '--config', config];
}

/** What `preflight --sql` prints for the primary. */
export async function setupSql({ io, narrator }: Scene, config: string): Promise<string> {
  return (await io.run(preflightArgs(config), narrator.width)).stdout;
}

/** Does that on the primary, as its DBA would. */
export async function setUpPrimary(primary: Cluster, sql: string): Promise<void> {
  // As psql does, one after the other: a slot is not made in a transaction that has written.
  for (const statement of sql.split(/;\n/)) await primary.query(DATABASE, statement);
}
