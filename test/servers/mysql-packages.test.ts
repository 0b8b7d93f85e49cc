import { existsSync, readFileSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { findMysql } from './harness/mysql-installation.ts';
import { missingMysql } from './harness/mysql-named.ts';
import { cached, cacheFolder } from './harness/mysql-packages.ts';
import { templateFolder } from './harness/mysql-template.ts';

describe('the programs', () => {
  // The first time they are downloaded; .ci/run runs this before everything else.
  test.concurrent.each([
    ['mysql', 'lts', /^(?:9|\d\d)\./],
    ['mariadb', 'lts', /^10\.11\./],
    ['mariadb', 'next', /^11\.8\./],
  ] as const)(
    'of %s (%s) are here, with an empty data folder',
    { timeout: 300_000 },
    async (flavor, release, version) => {
      const installation = await findMysql(flavor, release);
      expect(installation.version).toMatch(version);
      expect(existsSync(join(await templateFolder(installation), 'mysql'))).toBe(true);
    },
  );
});

describe('the cache', () => {
  const names = ['once', 'killed'].map((name) => `harness-test-${process.pid}-${name}`);
  const [shared = '', killed = ''] = names;

  afterAll(async () => {
    const cache = await cacheFolder();
    const left = names.flatMap((name) => [name, `${name}.lock`]);
    await Promise.all(left.map((name) => rm(join(cache, name), { recursive: true, force: true })));
  });

  test('makes a folder once, whoever asks at the same time', async () => {
    let made = 0;
    const make = async (draft: string): Promise<void> => {
      made += 1;
      await writeFile(join(draft, 'file'), String(made));
    };
    const folders = await Promise.all([1, 2, 3].map(() => cached(shared, make)));
    expect([new Set(folders).size, made]).toEqual([1, 1]);
    expect(readFileSync(join(folders[0] ?? '', 'file'), 'utf8')).toBe('1');
  });

  test('uses no folder that was made in part, and clears it away', async () => {
    const draft = join(await cacheFolder(), `draft-${killed}-abc`);
    await mkdir(draft);
    await expect(cached(killed, () => Promise.reject(new Error('no network')))).rejects.toThrow('no network');
    expect(existsSync(draft)).toBe(false);
    const folder = await cached(killed, (made) => writeFile(join(made, 'file'), 'whole'));
    expect(readFileSync(join(folder, 'file'), 'utf8')).toBe('whole');
  });
});

test('what is missing is told, with the reason, but in CI', async () => {
  const nowhere = (): Promise<never> => Promise.reject(new Error('no mirror'));
  vi.stubEnv('CI', undefined);
  try {
    expect(await missingMysql('mysql', 'own', nowhere)).toMatch(/mysql .* no mirror/);
    expect(await missingMysql('mysql', 'own', () => Promise.resolve())).toBeNull();
    vi.stubEnv('TWINPROOF_TEST_MYSQL_URL', 'mysql://root@db1/');
    expect(await missingMysql('mysql', 'any', nowhere)).toMatch(/no mirror/);
    vi.stubEnv('TWINPROOF_TEST_MYSQL_REPLICA_URL', 'mysql://root@db2/');
    expect(await missingMysql('mysql', 'any', nowhere)).toBeNull();
    expect(await missingMysql('mysql', 'own', nowhere)).toMatch(/no mirror/);
    vi.stubEnv('CI', 'true');
    expect(await missingMysql('mysql', 'own', nowhere)).toBeNull();
  } finally {
    vi.unstubAllEnvs();
  }
});
