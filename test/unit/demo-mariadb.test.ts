import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { installedMariadb } from '../../src/demo/mysql-installation.ts';

describe('the MariaDB of this machine', () => {
  let folder: string;

  beforeAll(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'twinproof-programs-'));
    // As root programs are run as another user, who must get in.
    chmodSync(folder, 0o755);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('is missed with the name of the package that brings it', async () => {
    await expect(installedMariadb([folder])).rejects.toMatchObject({
      code: 'TP-DEMO',
      message: expect.stringContaining('no MariaDB server is installed here'),
      hint: expect.stringContaining('apt install mariadb-server-core'),
    });
  });

  it('is not a mysqld of MySQL', async () => {
    const program = path.join(folder, 'mysqld');
    writeFileSync(program, '#!/bin/sh\necho "mysqld  Ver 9.7.4 for Linux on x86_64 (Debian)"\n', {
      mode: 0o755,
    });
    await expect(installedMariadb([folder])).rejects.toMatchObject({ code: 'TP-DEMO' });
  });
});
