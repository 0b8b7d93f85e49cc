import { afterAll, describe, test } from 'vitest';
import type { PostgresVersion } from '../../src/demo/binaries.ts';
import { createCluster } from '../../src/demo/cluster.ts';
import { expectServerWords, oddDefinitions } from '../servers/harness/odd-definitions.ts';
import { verifierOf } from '../servers/harness/readiness.ts';
import { ServerSet } from '../servers/harness/server-set.ts';

const VERSIONS: readonly PostgresVersion[] = [14, 15, 16, 17, 18];
const servers = new ServerSet();

afterAll(() => servers.end());

describe.each(VERSIONS)('PostgreSQL %i', (version) => {
  test('indexes and constraints are told in the server’s own words', async () => {
    const site = servers.add(await createCluster({ version }));
    await site.sql(`${verifierOf(version)} ${oddDefinitions(version)}`);
    await expectServerWords(site);
  });
});
