import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Connector } from '../../src/connector/contract.ts';
import type { Finding } from '../../src/connector/identity.ts';
import { SITE_COMMANDS, type SiteCommand } from '../../src/connector/preflight.ts';
import { type Cluster, createCluster } from './harness/cluster.ts';
import { builtProgram } from './harness/cli-build.ts';
import { runCli } from './harness/cli.ts';
import { openVerifier } from './harness/readiness.ts';
import { forever, ServerSet } from './harness/server-set.ts';

const servers = new ServerSet();
const sites = new Map<string, Connector>();
let cluster: Cluster;

beforeAll(async () => {
  builtProgram();
  cluster = servers.add(await createCluster({ version: 16, settings: { max_slot_wal_keep_size: '1GB' } }));
  await cluster.sql(`CREATE TABLE account (id serial PRIMARY KEY, owner text);
    CREATE SCHEMA other; CREATE TABLE other.note (id int PRIMARY KEY);
    CREATE ROLE writers; GRANT INSERT ON other.note TO writers`);
});

afterAll(async () => {
  for (const site of sites.values()) await site.close();
  await servers.end();
});

async function find(role: string, commands?: readonly SiteCommand[]): Promise<readonly Finding[]> {
  const site = sites.get(role) ?? (await openVerifier(cluster.url('postgres', role), forever()));
  sites.set(role, site);
  return site.preflight(forever(), commands === undefined ? {} : { commands });
}

function codes(findings: readonly Finding[]): string[] {
  return [...new Set(findings.map(({ code }) => code))].sort();
}

/** Runs what was printed, as a DBA who does all that is asked for. */
async function obey(findings: readonly Finding[]): Promise<void> {
  for (const { sql } of findings) if (sql !== undefined) await cluster.sql(sql);
}

describe('a role that may nothing', () => {
  const lacks: Readonly<Record<SiteCommand, readonly string[]>> = {
    verify: ['TP-P-GRANT', 'TP-P-STATS'],
    certify: ['TP-P-FILES', 'TP-P-GRANT', 'TP-P-SEQUENCES', 'TP-P-SETTINGS', 'TP-P-STATS'],
    watch: ['TP-P-GRANT', 'TP-P-STATS'],
    lag: ['TP-P-STATS'],
    readiness: ['TP-P-FILES', 'TP-P-SEQUENCES', 'TP-P-SETTINGS', 'TP-P-STATS'],
  };

  test.each(SITE_COMMANDS)('is told what %s lacks, and lacks nothing once that was run', async (command) => {
    const role = `for_${command}`;
    await cluster.sql(`CREATE ROLE ${role} LOGIN`);
    const findings = await find(role, [command]);
    expect(codes(findings)).toEqual(lacks[command]);
    expect(new Set(findings.flatMap(({ commands }) => commands ?? []))).toEqual(new Set([command]));
    await obey(findings);
    expect(await find(role, [command])).toEqual([]);
  });

  test('is told of what is for other commands as too much', async () => {
    const findings = await find('for_certify', ['lag']);
    expect(findings.map(({ severity, message }) => [severity, message])).toEqual([
      ['info', expect.stringContaining('pg_read_all_settings, EXECUTE ON FUNCTION')],
    ]);
    await obey(findings);
    expect(await find('for_certify', ['lag'])).toEqual([]);
    expect(codes(await find('for_certify', ['certify']))).toEqual(['TP-P-FILES', 'TP-P-SETTINGS']);
  });
});

describe('a role that may too much', () => {
  const powers: readonly (readonly [what: string, sql: string, word: string])[] = [
    ['attributes', 'ALTER ROLE busy CREATEDB CREATEROLE BYPASSRLS', 'CREATEROLE, CREATEDB, BYPASSRLS'],
    ['a role of the server’s own', 'GRANT pg_write_all_data TO busy', 'pg_write_all_data'],
    ['a table', 'GRANT INSERT, DELETE ON account TO busy', 'DELETE, INSERT'],
    ['a sequence', 'GRANT USAGE ON SEQUENCE account_id_seq TO busy', 'USAGE'],
    ['a table by another role', 'GRANT writers TO busy', 'granted to writers'],
    ['a table like everybody', 'GRANT UPDATE ON other.note TO PUBLIC', 'granted to PUBLIC'],
  ];

  test.each(powers)('by %s, is told how to take it back', async (_, sql, word) => {
    await cluster.sql(`CREATE ROLE busy LOGIN; GRANT pg_read_all_data, pg_read_all_stats TO busy; ${sql}`);
    const findings = (await find('busy')).filter(({ code }) => code === 'TP-P-EXCESS');
    expect(findings.map(({ message }) => message)).toEqual([expect.stringContaining(word)]);
    await obey(findings);
    expect(codes(await find('busy'))).not.toContain('TP-P-EXCESS');
    await sites.get('busy')?.close();
    sites.delete('busy');
    await cluster.sql('DROP OWNED BY busy; DROP ROLE busy');
  });

  test('as an owner, or with REPLICATION that only watch needs', async () => {
    await cluster.sql(`CREATE ROLE owner LOGIN REPLICATION; GRANT pg_read_all_data, pg_read_all_stats TO owner;
      CREATE TABLE own (id int PRIMARY KEY); ALTER TABLE own OWNER TO owner`);
    const told = async (commands?: readonly SiteCommand[]): Promise<string[]> =>
      (await find('owner', commands))
        .filter(({ code }) => code === 'TP-P-EXCESS')
        .map(({ sql }) => sql ?? '');
    expect(await told()).toEqual(['REASSIGN OWNED BY owner TO …;']);
    expect(await told(['verify'])).toEqual([
      'ALTER ROLE owner NOREPLICATION;',
      'REASSIGN OWNED BY owner TO …;',
    ]);
    expect(await told(['watch', 'verify'])).toEqual(['REASSIGN OWNED BY owner TO …;']);
    await cluster.sql('DROP TABLE own');
  });
});

test('the command says it for the commands that are named, as text and as JSON', async () => {
  const url = cluster.url('postgres', 'for_verify');
  const quiet = await runCli(['preflight', url, '--for', 'verify']);
  expect([quiet.stdout, quiet.code]).toEqual([expect.stringContaining('nothing stands in the way'), 0]);
  const json = await runCli(['preflight', url, '--for', 'verify, watch', '--format', 'json']);
  const { findings }: { findings: readonly Finding[] } = JSON.parse(json.stdout);
  expect(json.code).toBe(2);
  expect(findings.map(({ code, severity, commands }) => [code, severity, commands])).toEqual([
    ['TP-P-WATCH', 'block', ['watch']],
  ]);
  expect(findings[0]?.sql).toMatch(/ALTER ROLE for_verify REPLICATION;[^]*CREATE PUBLICATION/);
  const text = await runCli(['preflight', url]);
  expect([text.stdout, text.code]).toEqual([
    expect.stringMatching(/warn {2}TP-P-SEQUENCES.*\(certify, readiness\)/),
    1,
  ]);
  const wrong = await runCli(['preflight', url, '--for', 'dance']);
  expect([wrong.stderr, wrong.code]).toEqual([expect.stringContaining('TP-USAGE'), 64]);
});
