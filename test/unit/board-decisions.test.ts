import { generateKeyPairSync } from 'node:crypto';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { approveDecision, proposalFrom } from '../../src/board/deciding.ts';
import { decisionLine, decisionList } from '../../src/board/decision-parts.ts';
import { type Decision, type Proposal, shownOf } from '../../src/board/decision-record.ts';
import { DecisionFile } from '../../src/board/decisions.ts';
import type { PageContext } from '../../src/board/layout.ts';
import { EN } from '../../src/board/words-en.ts';
import { fleetPlan, fleetView, type FleetSystem } from '../../src/state/fleet-view.ts';
import type { VerdictWord } from '../../src/verdict/verdict.ts';
import { candidateOf, fleetConfig, NOW, read, stateOf } from './board-fixture.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'twinproof-decisions-'));
const { privateKey } = generateKeyPairSync('ed25519');
let files = 0;
afterAll(() => rmSync(folder, { recursive: true }));

function newFile(): string {
  files += 1;
  return path.join(folder, `decisions-${files}.jsonl`);
}

function board(file: string): Promise<DecisionFile> {
  return DecisionFile.open(file, privateKey, () => NOW);
}

const INPUT = {
  candidate: 'gasan',
  decision: 'promote',
  lossAccepted: 'nothing',
  reason: 'the hall burns',
  fencedAt: null,
  fencedBy: null,
} as const;
const PROPOSAL: Proposal = { system: 'bank', ...INPUT };
const CONTEXT: PageContext = {
  language: 'en',
  now: NOW,
  path: '/',
  fleet: null,
  person: { name: 'Park', role: 'approver' },
  canSignIn: true,
  theme: null,
};

/** The system with these candidates, each with its verdict. */
function systemOf(verdicts: Readonly<Record<string, VerdictWord>>): FleetSystem {
  const config = fleetConfig({ bank: 'dependsOn: [keys]', keys: '' });
  const candidates = Object.entries(verdicts).map(([name, verdict]) => candidateOf(name, verdict));
  const states = new Map([['bank', read(stateOf('bank', candidates))]]);
  const found = fleetView(fleetPlan(config), states, NOW).systems.find((one) => one.config.name === 'bank');
  if (found === undefined) throw new Error('no bank');
  return found;
}

describe('the record of decisions', () => {
  it('keeps what was shown to each of the two, of the very candidate that was named', async () => {
    const decisions = await board(newFile());
    const before = systemOf({ gasan: 'SAFE_WITH_LOSS', busan: 'SAFE' });
    const id = await decisions.propose(PROPOSAL, 'Kim', shownOf(before, 'gasan'));
    const after = systemOf({ gasan: 'NOT_SAFE', busan: 'SAFE' });
    await approveDecision({ live: { view: viewWith(after) } }, decisions, id, 'Park');
    expect(decisions.list()).toMatchObject([
      {
        proposedBy: 'Kim',
        approvedBy: 'Park',
        shown: { candidate: 'gasan', verdict: 'SAFE_WITH_LOSS', blockers: ['keys'] },
        shownToApprover: { candidate: 'gasan', verdict: 'NOT_SAFE' },
      },
    ]);
    await expect(
      approveDecision({ live: { view: viewWith(after) } }, decisions, 'none', 'Park'),
    ).rejects.toMatchObject({ code: 'TP-USAGE' });
  });

  it('is one for several boards: each is told what the other has recorded', async () => {
    const file = newFile();
    const [one, other] = [await board(file), await board(file)];
    const shown = shownOf(systemOf({ gasan: 'SAFE' }), 'gasan');
    const id = await one.propose(PROPOSAL, 'Kim', shown);
    await other.approve(id, 'Park', shown);
    await one.propose({ ...PROPOSAL, decision: 'wait' }, 'Kim', shown);
    await other.refresh();
    expect(other.list().map(({ decision, approvedBy }) => [decision, approvedBy])).toEqual([
      ['wait', null],
      ['promote', 'Park'],
    ]);
    expect([one.problem, other.problem, (await board(file)).problem]).toEqual([null, null, null]);
  });

  it.each([
    ['altered', (lines: string[]) => [(lines[0] ?? '').replace('eyJ', 'eyK'), ...lines.slice(1)]],
    ['cut off at its end', (lines: string[]) => lines.slice(0, 1)],
    ['emptied', () => []],
    ['longer by a line of somebody else', (lines: string[]) => [...lines, '{"payload":"","signatures":[]}']],
    ['in another order', (lines: string[]) => lines.toReversed()],
  ])('is written to no more once it is %s, and says so', async (_, alter) => {
    const file = newFile();
    const decisions = await board(file);
    const shown = shownOf(systemOf({ gasan: 'SAFE' }), 'gasan');
    await decisions.propose(PROPOSAL, 'Kim', shown);
    await decisions.propose({ ...PROPOSAL, decision: 'wait' }, 'Kim', shown);
    const whole = readFileSync(file, 'utf8');
    const altered = alter(whole.trimEnd().split('\n')).map((line) => `${line}\n`);
    writeFileSync(file, altered.join(''));
    await expect(decisions.propose(PROPOSAL, 'Kim', shown)).rejects.toMatchObject({ code: 'TP-CERTIFICATE' });
    expect(readFileSync(file, 'utf8')).toBe(altered.join(''));
    const told = decisionList(decisions, systemOf({ gasan: 'SAFE' }), CONTEXT).text;
    expect(told).toMatch(/role="alert".*nothing more is recorded/s);
    // What was known to be decided is still shown, and the record is trusted again when it is put back.
    expect(told.match(/the hall burns/g)).toHaveLength(2);
    writeFileSync(file, whole);
    await decisions.refresh();
    expect([decisions.problem, decisions.list().length]).toEqual([null, 2]);
  });

  it('goes on behind a line that a crash has cut off', async () => {
    const file = newFile();
    const shown = shownOf(systemOf({ gasan: 'SAFE' }), 'gasan');
    await (await board(file)).propose(PROPOSAL, 'Kim', shown);
    appendFileSync(file, '{"payload":"torn');
    const decisions = await board(file);
    expect([decisions.problem, decisions.list().length]).toEqual([null, 1]);
    await decisions.propose(PROPOSAL, 'Kim', shown);
    expect([decisions.problem, (await board(file)).list().length]).toEqual([null, 2]);
  });

  it('tells the second person when the verdict is another one than the first person decided on', async () => {
    const decisions = await board(newFile());
    await decisions.propose(PROPOSAL, 'Kim', shownOf(systemOf({ gasan: 'SAFE' }), 'gasan'));
    const told = (word: VerdictWord): string =>
      decisionList(decisions, systemOf({ gasan: word }), CONTEXT).text;
    expect(told('SAFE')).not.toContain('Now it is');
    const changed = 'The verdict was SAFE when this was proposed. Now it is NOT_SAFE.';
    expect(told('NOT_SAFE')).toContain(changed);
    // So is whoever goes by the order of promotion, also when it was approved.
    const [proposed] = decisions.list();
    if (proposed === undefined) throw new Error('it was not recorded');
    const line = (one: Decision, word: VerdictWord): string =>
      decisionLine(one, systemOf({ gasan: word }), EN).text;
    expect(line(proposed, 'SAFE')).not.toContain('Now it is');
    expect(line({ ...proposed, approvedBy: 'Park' }, 'NOT_SAFE')).toContain(changed);
    expect(line({ ...proposed, decision: 'wait' }, 'NOT_SAFE')).not.toContain(changed);
  });
});

describe('what an approver fills in', () => {
  const wrong = (more: object): readonly string[] | null =>
    proposalFrom({ ...INPUT, ...more }, systemOf({ gasan: 'SAFE' }).config).wrong;

  it('names a candidate of the system, unless they wait', () => {
    expect(wrong({})).toBe(null);
    expect(wrong({ candidate: 'elsewhere' })).toEqual(['candidate']);
    expect(wrong({ candidate: '' })).toEqual(['candidate']);
    expect(wrong({ candidate: '', decision: 'wait' })).toBe(null);
    expect(wrong({ reason: ' ', fencedAt: 'yesterday' })).toEqual(['reason', 'fencedAt']);
  });
});

function viewWith(system: FleetSystem): ReturnType<typeof fleetView> {
  return { at: NOW, name: null, systems: [system], groups: [], strangers: [] };
}
