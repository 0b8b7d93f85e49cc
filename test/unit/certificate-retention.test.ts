import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { shownOf } from '../../src/board/decision-record.ts';
import { DecisionFile } from '../../src/board/decisions.ts';
import { decisionText } from '../../src/board/decision-text.ts';
import { issueCertificate } from '../../src/certificate/issue.ts';
import { superfluous } from '../../src/certificate/retention.ts';
import { buildStatement } from '../../src/certificate/statement.ts';
import { CertificateFolder } from '../../src/commands/state-certificates.ts';
import { fleetPlan, fleetView } from '../../src/state/fleet-view.ts';
import type { VerdictWord } from '../../src/verdict/verdict.ts';
import { candidateOf, fleetConfig, NOW, read, stateOf } from './board-fixture.ts';
import { ALICE, directory, INPUT } from './certificate-fixture.ts';

/** One certificate a minute, the first the oldest. */
const timeOf = (index: number): Date => new Date(NOW.getTime() + index * 60_000);
const nameOf = (index: number): string => `${timeOf(index).toISOString().replaceAll(/[:.]/g, '-')}.json`;

async function folderWith(...verdicts: readonly VerdictWord[]): Promise<{
  readonly certificates: CertificateFolder;
  readonly names: () => Promise<string[]>;
  readonly state: string;
}> {
  const state = await directory();
  const certificates = new CertificateFolder(state, 'bank');
  for (const [index, verdict] of verdicts.entries()) {
    const statement = buildStatement({
      ...INPUT,
      verdict: { ...INPUT.verdict, verdict },
      issuedAt: timeOf(index),
    });
    await writeFile(await certificates.latest(), issueCertificate(statement, ALICE));
    await certificates.keepLatest(timeOf(index));
  }
  const folder = join(state, 'certificates', 'bank');
  await mkdir(folder, { recursive: true });
  return { certificates, names: async () => (await readdir(folder)).sort(), state: folder };
}

const nobody = (): boolean => false;

describe('certificates that are kept', () => {
  it('are the newest, the newest that says SAFE, and those that are named', () => {
    const stored = (verdict: VerdictWord, index: number) => ({
      file: `${index}.json`,
      verdict,
      sha256: `digest ${index}`,
    });
    const words: VerdictWord[] = [
      'UNKNOWN',
      'NOT_SAFE',
      'UNKNOWN',
      'SAFE_WITH_LOSS',
      'SAFE',
      'SAFE',
      'UNKNOWN',
    ];
    const all = words.map(stored);
    const left = (keep: number, isNamed = nobody as (text: string) => boolean): string[] =>
      superfluous(all, keep, isNamed).map(({ file }) => file);
    expect(left(2)).toEqual(['2.json', '3.json', '5.json', '6.json']);
    expect(left(2, (text) => text === '6.json' || text === 'digest 3')).toEqual(['2.json', '5.json']);
    expect(left(5)).toEqual(['5.json', '6.json']);
    expect(left(7)).toEqual([]);
  });

  it('are removed from the folder in order, and nothing that somebody else put there', async () => {
    const { certificates, names, state } = await folderWith('SAFE', 'UNKNOWN', 'UNKNOWN', 'UNKNOWN');
    await writeFile(join(state, 'of-the-audit.json'), '{}');
    await writeFile(join(state, '2020-01-01T00-00-00-000Z.json'), 'no certificate');
    expect(await certificates.prune(2, nobody)).toEqual([nameOf(1)]);
    const kept = [nameOf(0), nameOf(2), nameOf(3), '2020-01-01T00-00-00-000Z.json', 'latest.json'];
    expect(await names()).toEqual([...kept, 'of-the-audit.json'].sort());
    expect((await certificates.newest()).map(({ file }) => file)).toEqual([nameOf(3), nameOf(2), nameOf(0)]);
  });

  it('are listed anew when a file was written over', async () => {
    const { certificates, state } = await folderWith('SAFE', 'UNKNOWN');
    expect((await certificates.newest()).map(({ verdict }) => verdict)).toEqual(['UNKNOWN', 'SAFE']);
    await writeFile(join(state, nameOf(0)), '{');
    expect((await certificates.newest()).map(({ verdict }) => verdict)).toEqual(['UNKNOWN']);
  });

  it('are those that a decision was shown or speaks of, however old', async () => {
    const { certificates, names, state } = await folderWith(
      'UNKNOWN',
      'NOT_SAFE',
      'UNKNOWN',
      'UNKNOWN',
      'UNKNOWN',
    );
    const [, , , second, first] = await certificates.newest();
    const published = read(
      stateOf('bank', [candidateOf('gasan', 'UNKNOWN')], {
        certificates: first === undefined ? [] : [first],
      }),
    );
    const plan = fleetPlan(fleetConfig({ bank: '' }));
    const [shown] = fleetView(plan, new Map([['bank', published]]), NOW).systems;
    if (shown === undefined) throw new Error('no bank');
    const file = join(state, '..', '..', 'decisions.jsonl');
    const decisions = await DecisionFile.open(file, ALICE, () => NOW);
    const proposal = {
      system: 'bank',
      candidate: 'gasan',
      decision: 'wait' as const,
      lossAccepted: '',
      reason: `see ${second?.file ?? '?'}`,
      fencedAt: null,
      fencedBy: null,
    };
    await decisions.propose(proposal, 'Kim', shownOf(shown, 'gasan'));
    const text = await decisionText(file);
    await certificates.prune(1, (one) => text?.includes(one) ?? true);
    expect(await names()).toEqual([nameOf(0), nameOf(1), nameOf(4), 'latest.json'].sort());
  });
});

describe('what decisions say', () => {
  it('is nothing where none is recorded, and unknown where the record cannot be read', async () => {
    const folder = await directory();
    expect(await decisionText(null)).toBe('');
    expect(await decisionText(join(folder, 'none.jsonl'))).toBe('');
    expect(await decisionText(folder)).toBeNull();
    await writeFile(join(folder, 'damaged.jsonl'), 'no record\n');
    expect(await decisionText(join(folder, 'damaged.jsonl'))).toBeNull();
    await writeFile(join(folder, 'torn.jsonl'), 'a record that a crash cut off: 2026');
    expect(await decisionText(join(folder, 'torn.jsonl'))).toContain('2026');
  });
});
