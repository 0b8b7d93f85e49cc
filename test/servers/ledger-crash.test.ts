import { spawn, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  mkdirSync,
  openSync,
  closeSync,
  ftruncateSync,
  readdirSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkLedger } from '../../src/ledger/check.ts';
import { STATE } from '../../src/ledger/entry.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { boundaryAt, StateAt } from '../../src/ledger/state.ts';
import { digestOf, identity, removeFolder, temporaryFolder } from '../unit/ledger-fixture.ts';
import { buildWriter } from '../unit/ledger-program.ts';
import { openWriter, rowsAfter, WRITER_TABLE, writerEvents } from '../unit/ledger-writer.ts';

const KILLS = Number(process.env['TWINPROOF_KILLS'] ?? '5');

let scratch = '';
beforeAll(() => {
  scratch = temporaryFolder();
});
afterAll(() => removeFolder(scratch));

/** That the ledger holds exactly what the writer had written up to where it says it stands. */
function expectWritten(ledger: Ledger): number {
  const number = Number(ledger.position);
  const { catalog, committed } = ledger.core;
  const relation = catalog.ofTable(WRITER_TABLE.id);
  if (relation === null) throw new Error('the table is gone');
  const state = new StateAt(ledger.core, relation, boundaryAt(committed.mark.at));
  expect(state.complete).toBe(true);
  const found = new Map<number, string>();
  for (const { identity: id, row } of state.range(null, null)) {
    const key = Number(Buffer.from(id).readBigInt64BE(4));
    found.set(key, row.state === STATE.present ? Buffer.from(row.digest).toString('hex') : 'unknown');
  }
  const wanted = new Map([...rowsAfter(number)].map(([key, value]) => [key, digestOf(key, value)]));
  expect(found.size).toBe(wanted.size);
  for (const [key, digest] of wanted) expect(found.get(key)).toBe(digest);
  expect(state.row(identity(999_999)).state).toBe(STATE.absent);
  return number;
}

/** Runs the writer and kills it some milliseconds after its first word; the last number that it acknowledged. */
async function writeAndKill(program: string, folder: string, afterMs: number): Promise<number> {
  const child = spawn(process.execPath, [program, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    if (output === '') setTimeout(() => child.kill('SIGKILL'), afterMs);
    output += chunk.toString();
  });
  await once(child, 'close');
  expect(child.signalCode).toBe('SIGKILL');
  const whole = output.split('\n').slice(0, -1);
  return Number(whole.at(-1) ?? '0');
}

describe('a ledger whose process is killed', () => {
  it(`goes on exactly where it stood, ${KILLS} times`, async () => {
    const program = buildWriter(path.join(scratch, 'program'));
    const folder = path.join(scratch, 'killed');
    mkdirSync(folder);
    let last = 1;
    for (let kill = 0; kill < KILLS; kill++) {
      const acknowledged = await writeAndKill(program, folder, (kill * 37) % 400);
      const ledger = await openWriter(folder);
      const number = expectWritten(ledger);
      expect(number).toBeGreaterThanOrEqual(acknowledged);
      expect(number).toBeGreaterThan(last);
      expect(checkLedger(ledger.core).problems).toEqual([]);
      await ledger.settle();
      expect(checkLedger(ledger.core).problems).toEqual([]);
      last = number;
      await ledger.close();
    }
  }, 240_000);
});

/** A copy of a ledger of which the journal's last file has lost its end, or has zeros instead. */
async function torn(from: string, to: string, size: number, zeros: number): Promise<Ledger> {
  rmSync(to, { recursive: true, force: true });
  cpSync(from, to, { recursive: true });
  rmSync(path.join(to, 'owner.lock'));
  const name = readdirSync(path.join(to, 'journal')).sort().at(-1) ?? '';
  const descriptor = openSync(path.join(to, 'journal', name), 'r+');
  ftruncateSync(descriptor, size);
  if (zeros > 0) writeSync(descriptor, Buffer.alloc(zeros), 0, zeros, size);
  closeSync(descriptor);
  return await openWriter(to);
}

describe('a ledger whose disk lost what was not synced', () => {
  it('keeps every whole transaction and nothing else, wherever it was cut', async () => {
    const folder = path.join(scratch, 'cut');
    mkdirSync(folder);
    const ledger = await openWriter(folder);
    const rows = rowsAfter(1);
    for (let number = 2; number < 6; number++) ledger.take(writerEvents(number, rows));
    await ledger.flush();
    const durable = ledger.core.journal.durable;
    const ends: number[] = [];
    for (let number = 6; number < 8; number++) {
      ledger.take(writerEvents(number, rows));
      ends.push(ledger.core.journal.end.at);
    }
    // Reading what was appended writes it, without a sync.
    ledger.core.journal.recordAt(durable);
    const name = readdirSync(path.join(folder, 'journal')).sort().at(-1) ?? '';
    const size = statSync(path.join(folder, 'journal', name)).size;
    const end = ledger.core.journal.end.at;
    for (let cut = durable; cut <= end; cut++) {
      for (const zeros of cut % 64 === 0 ? [0, end - cut] : [0]) {
        const copy = await torn(folder, path.join(scratch, 'copy'), size - (end - cut), zeros);
        const whole = ends.filter((one) => one <= cut).length;
        expect(Number(copy.position)).toBe(5 + whole);
        expectWritten(copy);
        await copy.close();
      }
    }
    await ledger.close();
  }, 120_000);

  it('refuses to go on when synced bytes are gone', async () => {
    const folder = path.join(scratch, 'gone');
    mkdirSync(folder);
    const ledger = await openWriter(folder);
    const rows = rowsAfter(1);
    for (let number = 2; number < 6; number++) ledger.take(writerEvents(number, rows));
    await ledger.settle();
    await expect(torn(folder, path.join(scratch, 'copy'), 400, 0)).rejects.toMatchObject({
      code: 'TP-LEDGER-CORRUPT',
    });
    await ledger.close();
  });
});

const isRoot = process.getuid?.() === 0 && process.platform === 'linux';

describe.skipIf(!isRoot)('a ledger on a full disk', () => {
  it('stops with a code, has lost nothing that was flushed, and goes on when there is room', async () => {
    const folder = path.join(scratch, 'full');
    mkdirSync(folder);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', folder]);
    try {
      const ledger = await openWriter(folder);
      let flushed = 1;
      const rows = rowsAfter(1);
      const fill = async (): Promise<void> => {
        for (let number = 2; number < 2000; number++) {
          ledger.take(writerEvents(number, rows));
          flushed = Number(await ledger.flush());
        }
      };
      await expect(fill()).rejects.toMatchObject({ code: 'TP-LEDGER-FULL' });
      await expect(ledger.flush()).rejects.toMatchObject({ code: 'TP-LEDGER-FULL' });
      await ledger.close();
      execFileSync('mount', ['-o', 'remount,size=60m', folder]);
      const mended = await openWriter(folder);
      const number = expectWritten(mended);
      expect(number).toBeGreaterThanOrEqual(flushed);
      expect(flushed).toBeGreaterThan(1);
      mended.take(writerEvents(number + 1, rowsAfter(number)));
      await mended.settle();
      expectWritten(mended);
      expect(checkLedger(mended.core).problems).toEqual([]);
      await mended.close();
    } finally {
      execFileSync('umount', [folder]);
    }
  }, 60_000);
});
