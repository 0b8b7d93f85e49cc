import {
  lstatSync,
  mkdtempSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Difference } from '../../src/compare/result.ts';
import { DifferenceWriter } from '../../src/report/difference-file.ts';
import { OutputFile, writeOutput } from '../../src/report/output-file.ts';

let folder: string;
const at = (name: string) => path.join(folder, name);
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'twinproof-output-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const failsWith = (file: string, problem: string) =>
  expect.objectContaining({
    code: 'TP-OUTPUT',
    message: expect.stringContaining(`${file} could not be written: ${problem}`),
  });

describe('an output file', () => {
  it('appears whole, and only it', async () => {
    await writeOutput(at('out.json'), '{"é":1}');
    expect(readFileSync(at('out.json'), 'utf8')).toBe('{"é":1}');
    expect(readdirSync(folder)).toEqual(['out.json']);
  });

  it('replaces what was there and keeps its permissions', async () => {
    writeFileSync(at('out'), 'old', { mode: 0o640 });
    const output = await OutputFile.create(at('out'), { mode: 0o666 });
    await output.write(Buffer.from('new'));
    expect(readFileSync(at('out'), 'utf8')).toBe('old');
    await output.commit();
    expect(readFileSync(at('out'), 'utf8')).toBe('new');
    expect(statSync(at('out')).mode & 0o777).toBe(0o640);
  });

  it('follows a link instead of replacing it', async () => {
    writeFileSync(at('real'), 'old');
    symlinkSync(at('real'), at('link'));
    await writeOutput(at('link'), 'new');
    expect(readFileSync(at('real'), 'utf8')).toBe('new');
    expect(readdirSync(folder).sort()).toEqual(['link', 'real']);
  });

  it('refuses to take a name that is taken by then, and leaves nothing', async () => {
    const output = await OutputFile.create(at('key'), { mode: 0o600, existing: 'refuse' });
    await output.write(Buffer.from('new'));
    writeFileSync(at('key'), 'precious');
    await expect(output.commit()).rejects.toMatchObject({
      code: 'TP-OUTPUT',
      message: `${at('key')} exists already`,
    });
    expect(readFileSync(at('key'), 'utf8')).toBe('precious');
    expect(readdirSync(folder)).toEqual(['key']);
  });

  it('takes a free name exclusively', async () => {
    await writeOutput(at('key'), 'new', { mode: 0o600, existing: 'refuse' });
    expect(readFileSync(at('key'), 'utf8')).toBe('new');
    expect(readdirSync(folder)).toEqual(['key']);
  });

  it('replaces a link and the permissions when told to', async () => {
    writeFileSync(at('real'), 'old', { mode: 0o644 });
    symlinkSync(at('real'), at('link'));
    await writeOutput(at('link'), 'new', { mode: 0o600, existing: 'replace' });
    expect(readFileSync(at('real'), 'utf8')).toBe('old');
    expect(lstatSync(at('link')).isFile()).toBe(true);
    expect(statSync(at('link')).mode & 0o777).toBe(0o600);
  });

  it('writes into a device and leaves the device', async () => {
    await writeOutput('/dev/null', 'x');
    expect(statSync('/dev/null').isCharacterDevice()).toBe(true);
    await expect(writeOutput('/dev/full', 'x')).rejects.toThrow(failsWith('/dev/full', 'no space is left'));
  });

  it('says what is wrong with the path', async () => {
    await expect(writeOutput(at('no/out'), 'x')).rejects.toThrow(
      failsWith(at('no/out'), 'its folder does not exist'),
    );
    await expect(writeOutput(folder, 'x')).rejects.toThrow(failsWith(folder, 'it is a folder'));
    writeFileSync(at('file'), '');
    await expect(writeOutput(at('file/out'), 'x')).rejects.toThrow(
      failsWith(at('file/out'), 'a part of its path'),
    );
  });

  it('leaves nothing behind when the end fails', async () => {
    const output = await OutputFile.create(at('out'), { mode: 0o666 });
    await output.write(Buffer.from('x'));
    mkdirSync(at('out'));
    await expect(output.commit()).rejects.toThrow(failsWith(at('out'), 'it is a folder'));
    expect(readdirSync(folder)).toEqual(['out']);
    await expect(output.write(Buffer.from('x'))).rejects.toThrow(
      failsWith(at('out'), 'it is closed already'),
    );
  });

  it('says beforehand where nothing could be written, and leaves no trace of having tried', async () => {
    await expect(OutputFile.demand(path.join(at('none'), 'out'))).rejects.toThrow(
      'its folder does not exist',
    );
    await expect(OutputFile.demand(folder)).rejects.toThrow('it is a folder');
    writeFileSync(at('out'), 'old');
    await OutputFile.demand(at('out'));
    await OutputFile.demand(at('new'));
    expect(readdirSync(folder)).toEqual(['out']);
    expect(readFileSync(at('out'), 'utf8')).toBe('old');
  });

  it('leaves nothing behind when discarded, and what was there before', async () => {
    writeFileSync(at('out'), 'old');
    const output = await OutputFile.create(at('out'), { mode: 0o666 });
    await output.write(Buffer.from('new'));
    await output.discard();
    await output.discard();
    expect(readdirSync(folder)).toEqual(['out']);
    expect(readFileSync(at('out'), 'utf8')).toBe('old');
  });
});

const difference = (id: number, padding = ''): Difference => ({
  table: 'public.orders',
  kind: 'changed',
  key: { id: String(id), padding },
  columns: ['amount'],
});

describe('the file of differences', () => {
  it('holds a line for each, in order, for its owner only', async () => {
    const writer = await DifferenceWriter.create(at('d'));
    await writer.write(difference(1, 'a\nb'));
    await writer.write({ table: 't', kind: 'missing', key: { id: '2' } });
    expect(readdirSync(folder)).not.toContain('d');
    expect(await writer.close()).toBe(2n);
    expect(
      readFileSync(at('d'), 'utf8')
        .trimEnd()
        .split('\n')
        .map((line): unknown => JSON.parse(line)),
    ).toEqual([
      { table: 'public.orders', kind: 'changed', key: { id: '1', padding: 'a\nb' }, columns: ['amount'] },
      { table: 't', kind: 'missing', key: { id: '2' } },
    ]);
    expect(statSync(at('d')).mode & 0o777).toBe(0o600);
  });

  it('is empty when nothing differs', async () => {
    expect(await (await DifferenceWriter.create(at('d'))).close()).toBe(0n);
    expect(readFileSync(at('d'), 'utf8')).toBe('');
  });

  it('keeps every line of many writers at once', async () => {
    const writer = await DifferenceWriter.create(at('d'));
    const one = async (start: number) => {
      for (let id = start; id < start + 2_000; id += 1) await writer.write(difference(id, 'x'.repeat(500)));
    };
    await Promise.all([0, 2_000, 4_000, 6_000].map(one));
    expect(await writer.close()).toBe(8_000n);
    const ids = readFileSync(at('d'), 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => /"id":"(\d+)"/.exec(line)?.[1]);
    expect(new Set(ids).size).toBe(8_000);
    expect(ids).toHaveLength(8_000);
  });

  it('does not grow in memory with the number of lines', async () => {
    const writer = await DifferenceWriter.create('/dev/null');
    const before = process.memoryUsage();
    for (let id = 0; id < 100_000; id += 1) await writer.write(difference(id));
    const after = process.memoryUsage();
    expect(await writer.close()).toBe(100_000n);
    expect(after.external - before.external).toBeLessThan(32e6);
    expect(after.rss - before.rss).toBeLessThan(200e6);
  }, 30_000);

  it('fails at the next write when the disk is full, and at every later one', async () => {
    const writer = await DifferenceWriter.create('/dev/full');
    await expect(
      (async () => {
        for (let id = 0; id < 100; id += 1) await writer.write(difference(id, 'x'.repeat(10_000)));
      })(),
    ).rejects.toThrow(failsWith('/dev/full', 'no space is left'));
    await expect(writer.write(difference(1))).rejects.toThrow(failsWith('/dev/full', 'no space is left'));
    await expect(writer.close()).rejects.toThrow(failsWith('/dev/full', 'no space is left'));
    await writer.discard();
  });

  it('leaves nothing when discarded', async () => {
    const writer = await DifferenceWriter.create(at('d'));
    await writer.write(difference(1));
    await writer.discard();
    expect(readdirSync(folder)).toEqual([]);
  });
});
