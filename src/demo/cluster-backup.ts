import { chown, copyFile, lstat, mkdir, readdir, readlink, symlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import pLimit from 'p-limit';
import { type Cluster, type Row } from './cluster.ts';
import { writeOwned } from './cluster-files.ts';
import type { ServerPaths } from './server-process.ts';
import type { ServerUser } from './server-user.ts';

/** Folders whose content belongs to the running server; the copy gets them empty. As pg_basebackup does. */
const EMPTY_FOLDERS = new Set([
  'pg_dynshmem',
  'pg_notify',
  'pg_replslot',
  'pg_serial',
  'pg_snapshots',
  'pg_stat_tmp',
  'pg_subtrans',
  'pg_wal',
]);
const SKIPPED_FILES =
  /^(postmaster\.(pid|opts)|backup_label(\.old)?|tablespace_map|pg_internal\.init.*|pgsql_tmp.*)$/;
const PARALLEL_FILES = 8;

/**
 * Copies a running primary into `target` as pg_basebackup would: data files under backup mode, then the WAL they need,
 * backup_label and, with tablespaces, tablespace_map. Tablespaces are copied into the target's own folder. The copy
 * needs neither slot nor stream to become consistent. A damaged half copy stays behind when this throws.
 */
export async function baseBackup(primary: Cluster, target: ServerPaths): Promise<void> {
  const user = primary.binaries.user;
  const session = await primary.connect();
  try {
    const ask = async (text: string): Promise<Row> => (await session.query<Row>(text)).rows[0] ?? {};
    // Keeps the WAL from the start of the copy on, however long it takes; gone with the session.
    const slot = `backup_${basename(target.home)
      .replaceAll(/[^a-zA-Z0-9]/g, '_')
      .toLowerCase()}`;
    await session.query('SELECT pg_create_physical_replication_slot($1, true, true)', [slot]);
    const modern = primary.version >= 15;
    const begun = await ask(
      modern
        ? `SELECT pg_walfile_name(pg_backup_start('twinproof', true)) AS wal`
        : `SELECT pg_walfile_name(pg_start_backup('twinproof', true, false)) AS wal`,
    );
    await copyDataFiles(primary.paths.data, target, user);
    const ended = await ask(
      `SELECT pg_walfile_name(lsn) AS wal, labelfile, spcmapfile
         FROM ${modern ? 'pg_backup_stop(false)' : 'pg_stop_backup(false, false)'}`,
    );
    await writeOwned(join(target.data, 'backup_label'), String(ended['labelfile']), user);
    if (ended['spcmapfile']) await writeTablespaceMap(target, user);
    await copyWal(primary.paths.data, target.data, String(begun['wal']), String(ended['wal']), user);
  } finally {
    await session.end();
  }
}

async function copyDataFiles(source: string, target: ServerPaths, user: ServerUser | null): Promise<void> {
  const control = join('global', 'pg_control');
  await new TreeCopy(source, target.data, user, (path) => path === control).run();
  for (const oid of await readdir(join(source, 'pg_tblspc'))) {
    const link = join(source, 'pg_tblspc', oid);
    if (!(await lstat(link)).isSymbolicLink()) continue;
    const copy = join(target.home, `tablespace-${oid}`);
    await new TreeCopy(await readlink(link), copy, user, () => false).run();
    await symlink(copy, join(target.data, 'pg_tblspc', oid));
  }
  // Last, so that it is never older than a file beside it.
  await copyOwned(join(source, control), join(target.data, control), user);
}

async function writeTablespaceMap(target: ServerPaths, user: ServerUser | null): Promise<void> {
  const folder = join(target.data, 'pg_tblspc');
  let map = '';
  for (const oid of await readdir(folder)) map += `${oid} ${await readlink(join(folder, oid))}\n`;
  await writeOwned(join(target.data, 'tablespace_map'), map, user);
}

/** Copies the segments from `first` to `last` (file names) and all timeline histories. */
async function copyWal(
  source: string,
  target: string,
  first: string,
  last: string,
  user: ServerUser | null,
): Promise<void> {
  for (const name of await readdir(join(source, 'pg_wal'))) {
    const segment = /^[0-9A-F]{24}$/.test(name) && name >= first && name <= last;
    if (!segment && !name.endsWith('.history')) continue;
    await copyOwned(join(source, 'pg_wal', name), join(target, 'pg_wal', name), user);
  }
}

/** Copies a tree of a live server: what vanishes meanwhile is skipped, replay removes it on the copy too. */
class TreeCopy {
  private readonly source: string;
  private readonly target: string;
  private readonly user: ServerUser | null;
  private readonly skip: (path: string) => boolean;
  private readonly limit = pLimit(PARALLEL_FILES);

  constructor(source: string, target: string, user: ServerUser | null, skip: (path: string) => boolean) {
    this.source = source;
    this.target = target;
    this.user = user;
    this.skip = skip;
  }

  async run(): Promise<void> {
    await this.folder('');
  }

  private async folder(path: string): Promise<void> {
    const target = join(this.target, path);
    await mkdir(target, { mode: 0o700 });
    await giveTo(target, this.user);
    if (EMPTY_FOLDERS.has(path)) {
      if (path === 'pg_wal') await this.folder(join('pg_wal', 'archive_status')).catch(ignoreMissing);
      return;
    }
    const entries = await readdir(join(this.source, path), { withFileTypes: true });
    const copies: Promise<void>[] = [];
    for (const entry of entries) {
      const inner = join(path, entry.name);
      if (entry.isDirectory()) await this.folder(inner).catch(ignoreMissing);
      else if (entry.isFile() && !SKIPPED_FILES.test(entry.name) && !this.skip(inner)) {
        const copy = (): Promise<void> =>
          copyOwned(join(this.source, inner), join(this.target, inner), this.user);
        copies.push(this.limit(() => copy().catch(ignoreMissing)));
      }
    }
    await Promise.all(copies);
  }
}

async function copyOwned(source: string, target: string, user: ServerUser | null): Promise<void> {
  await copyFile(source, target);
  await giveTo(target, user);
}

async function giveTo(path: string, user: ServerUser | null): Promise<void> {
  if (user !== null) await chown(path, user.uid, user.gid);
}

function ignoreMissing(error: unknown): void {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return;
  throw error;
}
