import { randomBytes } from 'node:crypto';
import { chown, mkdir, open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Binaries } from '../../../src/demo/binaries.ts';
import { type InitOptions, initialise } from '../../../src/demo/cluster-files.ts';
import type { ServerPaths } from '../../../src/demo/server-process.ts';
import { cached } from './mysql-packages.ts';
import { copyFolder } from './mysql-template.ts';

/** Raise it when what is in a template changes. */
const TEMPLATE = 1;

/** Of what follows in the first page of every segment of the log. */
const SEGMENT_NAME = /^[0-9A-F]{24}$/;
/** `xlp_sysid` of its long header (src/include/access/xlog_internal.h). */
const SEGMENT_SYSTEM_AT = 24;
/** Longer than `ControlFileData` of any version (src/include/catalog/pg_control.h), whose last field is its check sum. */
const CONTROL_BYTES_MAX = 512;

/**
 * Fills a data directory as `initialise` does, from a copy that is kept: initdb takes most of the time in which a
 * server is made. The system identifier is the server's own, as pg_createsubscriber makes one for a copy.
 */
export async function initialiseFromTemplate(
  binaries: Binaries,
  paths: ServerPaths,
  options: InitOptions,
): Promise<void> {
  // What is fixed in a directory is as a rule not chosen. Elsewhere nothing is kept between runs.
  const { locale, checksums, password, walSegmentMb } = options;
  const chosen = [locale, checksums, password, walSegmentMb].some((choice) => choice !== undefined);
  if (chosen || process.platform !== 'linux') return initialise(binaries, paths, options);
  await copyFolder(await templateFolder(binaries), paths.data);
  await giveSystemIdentifier(paths.data);
}

async function templateFolder(binaries: Binaries): Promise<string> {
  const { release, user } = binaries;
  const name = `postgres-${release}-${user?.uid ?? process.getuid?.() ?? 0}-${TEMPLATE}`;
  const folder = await cached(name, async (draft) => {
    // A folder of the server's own, for initdb works in it, but below one that is not.
    const home = join(draft, 'home');
    await mkdir(home, { mode: 0o700 });
    if (user !== null) await chown(home, user.uid, user.gid);
    const data = join(home, 'data');
    await initialise(binaries, { home, data, log: join(home, 'server.log') }, {});
    // A new server has none: when they were begun tells servers apart.
    const statistics = join(data, 'pg_stat');
    for (const file of await readdir(statistics)) await rm(join(statistics, file));
  });
  return join(folder, 'home', 'data');
}

/** In the control file, under its check sum, and in the log, whose pages have none. */
async function giveSystemIdentifier(data: string): Promise<void> {
  const identifier = randomBytes(8);
  // It is printed with a sign at some places.
  identifier.writeUInt8(identifier.readUInt8(7) & 0x7f, 7);
  await edit(join(data, 'global', 'pg_control'), 0, CONTROL_BYTES_MAX, (control) => {
    const at = checkSumPlace(control);
    identifier.copy(control);
    control.writeUInt32LE(crc32c(control.subarray(0, at)), at);
  });
  const segments = (await readdir(join(data, 'pg_wal'))).filter((name) => SEGMENT_NAME.test(name));
  for (const name of segments) {
    await edit(join(data, 'pg_wal', name), SEGMENT_SYSTEM_AT, identifier.length, (header) => {
      identifier.copy(header);
    });
  }
}

/** Where the check sum of all that comes before it stands: this differs between versions. */
function checkSumPlace(control: Buffer): number {
  for (let at = 4; at + 4 <= control.length; at += 4) {
    if (control.readUInt32LE(at) === crc32c(control.subarray(0, at))) return at;
  }
  throw new Error('the control file has no check sum');
}

/** CRC-32C (RFC 3720, appendix B.4), bit by bit: the control file is short. */
function crc32c(bytes: Uint8Array): number {
  let sum = -1;
  for (const byte of bytes) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit += 1) sum = (sum >>> 1) ^ (sum & 1 ? 0x82f6_3b78 : 0);
  }
  return ~sum >>> 0;
}

async function edit(
  path: string,
  at: number,
  length: number,
  change: (bytes: Buffer) => void,
): Promise<void> {
  const file = await open(path, 'r+');
  try {
    const { buffer } = await file.read(Buffer.alloc(length), 0, length, at);
    change(buffer);
    await file.write(buffer, 0, length, at);
  } finally {
    await file.close();
  }
}
