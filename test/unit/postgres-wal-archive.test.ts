import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { positionOf } from '../../connectors/postgres/lsn.ts';
import { archivedUntil, type ArchiveFrom, readArchive } from '../../connectors/postgres/wal-archive.ts';

const MIB = 1n << 20n;
const SEGMENT = 16n * MIB;
/** In the middle of segment 0x102, which is the third of the second log of 4 GiB. */
const FROM: ArchiveFrom = { timeline: '26', lsn: 0x1_02n * SEGMENT + 5n * MIB, segmentBytes: SEGMENT };

function until(...names: readonly string[]): string {
  const files = names.map((name) => ({ name, bytes: SEGMENT }));
  return (archivedUntil(files, FROM) / MIB).toString();
}

const PLACE = FROM.lsn / MIB;
const END_OF_102 = 0x1_03n * 16n;

describe('what an archive has for a standby', () => {
  it.each([
    ['nothing', [], PLACE],
    ['the segment where the standby is', ['0000001A0000000100000002'], END_OF_102],
    ['several without a hole', ['0000001A0000000100000002', '0000001A0000000100000003'], END_OF_102 + 16n],
    ['several behind a hole', ['0000001A0000000100000002', '0000001A0000000100000004'], END_OF_102],
    ['none but later ones', ['0000001A0000000100000003'], PLACE],
    ['none but earlier ones', ['0000001A0000000100000001'], PLACE],
    ['another timeline', ['0000001B0000000100000002', '000000260000000100000002'], PLACE],
    ['what is not whole', ['0000001A0000000100000002.partial', '0000001A0000000100000002.tmp'], PLACE],
    ['other files', ['0000001A.history', '0000001A0000000100000002.00000028.backup', 'x'], PLACE],
    ['packed ones', ['0000001A0000000100000002.zst', '0000001A0000000100000003.gz'], END_OF_102 + 16n],
    [
      'those of pgBackRest',
      [`0000001A0000000100000002-${'0a'.repeat(20)}.gz`, `0000001A0000000100000003-${'0b'.repeat(20)}`],
      END_OF_102 + 16n,
    ],
  ])('ends where %s ends', (_, names, end) => {
    expect(until(...names)).toBe(end.toString());
  });

  it('goes on in the next log of 4 GiB', () => {
    const from = { ...FROM, lsn: 0x1_fen * SEGMENT };
    const files = ['00000001000000FE', '00000001000000FF', '0000000200000000'].map((end) => ({
      name: `0000001A${end}`,
      bytes: SEGMENT,
    }));
    expect(archivedUntil(files, from)).toBe(0x2_01n * SEGMENT);
  });

  it('does not count a file that is not packed and shorter than a segment, nor an empty one', () => {
    const one = '0000001A0000000100000002';
    expect(archivedUntil([{ name: one, bytes: SEGMENT - 1n }], FROM)).toBe(FROM.lsn);
    expect(archivedUntil([{ name: `${one}.gz`, bytes: 0n }], FROM)).toBe(FROM.lsn);
    expect(archivedUntil([{ name: `${one}.gz`, bytes: 1n }], FROM)).toBe(0x1_03n * SEGMENT);
  });
});

describe('an archive on disk', () => {
  const wal = { segmentBytes: MIB, pageBytes: 8192n };
  const received = positionOf('7310', '26', 0x1_0000_2fffn);

  it('may have its files in folders by the log they are of', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'twinproof-archive-'));
    const [inner, other] = [path.join(folder, '0000001A00000001'), path.join(folder, '0000001A00000000')];
    for (const made of [inner, other]) mkdirSync(made);
    writeFileSync(path.join(inner, '0000001A0000000100000000.lz4'), 'x');
    writeFileSync(path.join(inner, '0000001A0000000100000001'), new Uint8Array(Number(MIB)));
    writeFileSync(path.join(folder, '0000001A0000000100000003'), 'x');
    const archive = await readArchive(folder, received, wal, AbortSignal.timeout(10_000));
    rmSync(folder, { recursive: true });
    expect(archive).toEqual({
      until: positionOf('7310', '26', 0x1_0020_0000n),
      bytes: 0x20_0000n - 0x2fffn,
      problem: null,
    });
  });

  it('is not known where it cannot be read', async () => {
    const archive = await readArchive('/nowhere/archive', received, wal, AbortSignal.timeout(10_000));
    expect(archive).toEqual({ until: null, bytes: null, problem: 'ENOENT' });
  });

  it('is given up at once by who cannot wait for it', async () => {
    const stop = new AbortController();
    const listed = readArchive(tmpdir(), received, wal, stop.signal);
    stop.abort(new Error('enough'));
    await expect(listed).rejects.toThrow('enough');
  });
});
