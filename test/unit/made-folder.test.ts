import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { makeFolder } from '../../src/config/made-folder.ts';

const root = mkdtempSync(path.join(tmpdir(), 'twinproof-folder-'));

afterAll(() => rmSync(root, { recursive: true }));

describe('a folder that the configuration names', () => {
  test('is made with those above it, by several at once, and left as it is where it stands', async () => {
    const folder = path.join(root, 'a', 'b', 'c');
    await Promise.all([makeFolder(folder, 0o700), makeFolder(folder, 0o700)]);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    await makeFolder(folder, 0o755);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
  });

  test('is refused where a file stands, at its place or above it', async () => {
    const file = path.join(root, 'file');
    writeFileSync(file, '');
    await expect(makeFolder(file)).rejects.toThrow('EEXIST');
    await expect(makeFolder(path.join(file, 'below'))).rejects.toThrow(/EEXIST|ENOTDIR/);
  });

  // `mkdir` with `recursive` would never return there.
  test.runIf(process.platform === 'linux')('is refused at once where a file system takes none', async () => {
    await expect(makeFolder('/proc/nowhere/ledger')).rejects.toThrow('ENOENT');
  });
});
