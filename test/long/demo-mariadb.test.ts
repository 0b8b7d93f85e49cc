import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { MysqlInstallation } from '../../src/demo/mysql-installation.ts';
import { widthOf } from '../../src/report/text-width.ts';
import { builtProgram } from '../servers/harness/cli-build.ts';
import { findMysql } from '../servers/harness/mysql-installation.ts';
import { describeMysql } from '../servers/harness/mysql-suite.ts';

/** Far above what it takes, about a minute: this is about the machine of a stranger. */
const LIMIT_MS = 600_000;

/** A program as an installed MariaDB has it; the first argument of a server says where its settings are. */
function install(folder: string, { command, folders }: MysqlInstallation): void {
  const own = Object.entries(folders).map(([name, value]) => `--${name.replaceAll('_', '-')}='${value}'`);
  const program = command.map((word) => `'${word}'`).join(' ');
  const file = path.join(folder, 'mariadbd');
  writeFileSync(file, `#!/bin/sh\nfirst=$1; shift\nexec ${program} "$first" ${own.join(' ')} "$@"\n`);
  chmodSync(file, 0o755);
}

await describeMysql(
  'the demo of %s',
  () => {
    // Short, as sockets lie in it; the servers of root run as another user, who must get in.
    const temporary = mkdtempSync('/tmp/tp-demo-');
    const programs = mkdtempSync('/tmp/tp-programs-');
    let text = '';
    let errors = '';

    beforeAll(async () => {
      for (const folder of [temporary, programs]) chmodSync(folder, 0o755);
      install(programs, await findMysql('mariadb'));
      const child = spawn(process.execPath, [builtProgram(), 'demo', '--engine', 'mariadb'], {
        // What a user's shell says of their own servers must not lead the demo astray.
        env: { PATH: `${programs}:/usr/bin:/bin`, TMPDIR: temporary, MYSQL_PWD: 'of another server' },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      child.stdout.setEncoding('utf8').on('data', (some: string) => (text += some));
      child.stderr.setEncoding('utf8').on('data', (some: string) => (errors += some));
      const limit = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
      const [code] = await once(child, 'close');
      clearTimeout(limit);
      if (code !== 0) throw new Error(`the demo ended by ${String(code)}: ${errors || text}`);
    }, LIMIT_MS + 60_000);

    afterAll(() => {
      for (const folder of [temporary, programs]) rmSync(folder, { recursive: true, force: true });
    });

    it('shows what it claims, and leaves no server and no file', () => {
      expect(text).toContain('everything that was broken was found, nothing else was');
      expect(readdirSync(temporary)).toEqual([]);
    });

    it('finds the replica the same under load, and watches it', () => {
      expect(text).toMatch(/✔ SAME {2}every row of 4 tables is the same/);
      expect(text).toMatch(/the ledger knows all 30\d,\d{3} rows/);
    });

    it('counts the loss of a burnt primary, transaction by transaction, as its writer knows it', () => {
      expect(text).toContain('│ ! SAFE_WITH_LOSS  gasan');
      expect(text).toMatch(
        /✔ [\d,]+ lost transactions with [\d,]+ rows: each is one that the writer had confirmed/,
      );
    });

    it('names rows that changed on the replica where no log tells of it', () => {
      const last = text.slice(text.lastIndexOf('--primary-lost'));
      expect(last).toContain('│ ✖ NOT_SAFE  gasan');
      expect(last).toContain('id=29017');
      expect(last).toContain('id=90210');
    });

    it('is of bounded width', () => {
      expect(text.split('\n').filter((line) => widthOf(line) > 110)).toEqual([]);
    });
  },
  ['mariadb'],
);
