import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { html } from '../../src/report/html.ts';
import { Live, type LiveEvent } from '../../src/board/live.ts';
import { fleetPlan, fleetView } from '../../src/state/fleet-view.ts';
import { FolderWatch } from '../../src/state/folder-watch.ts';
import { lapsing } from '../../src/state/lapse.ts';
import { type ReadState, StateFolder, statePath, writeState } from '../../src/state/file.ts';
import { groupStanding } from '../../src/state/groups.ts';
import type { SystemState } from '../../src/state/schema.ts';
import { standingOf } from '../../src/state/standing.ts';
import type { VerdictWord } from '../../src/verdict/verdict.ts';
import { ago, candidateOf, fleetConfig, NOW, read, stateOf, verdictOf } from './board-fixture.ts';

const later = (seconds: number): Date => new Date(NOW.getTime() + seconds * 1000);

describe('what was published', () => {
  const safe = read(stateOf('bank', [candidateOf('gasan', 'SAFE')]));

  it('holds while its publisher is at work', () => {
    expect(standingOf('bank', safe, NOW)).toMatchObject({ verdict: 'SAFE', doubt: null, fresh: true });
  });

  it('is UNKNOWN as soon as the next writing is due by its interval, and there is none', () => {
    expect(standingOf('bank', safe, later(6))).toMatchObject({ verdict: 'SAFE' });
    expect(standingOf('bank', safe, later(6.001))).toMatchObject({
      verdict: 'UNKNOWN',
      doubt: 'stale',
      fresh: false,
    });
  });

  it('is UNKNOWN when it is from the future, was never published, or cannot be read', () => {
    expect(standingOf('bank', safe, later(-120))).toMatchObject({ verdict: 'UNKNOWN', doubt: 'ahead' });
    expect(standingOf('bank', null, NOW)).toMatchObject({ verdict: 'UNKNOWN', doubt: 'absent' });
    const unreadable = { state: null, problem: 'damaged' };
    expect(standingOf('bank', unreadable, NOW)).toMatchObject({ verdict: 'UNKNOWN', doubt: 'unreadable' });
  });

  it('is UNKNOWN when the verdict has expired although the publisher is at work', () => {
    const state = stateOf('bank', [
      candidateOf('gasan', 'SAFE', { verdict: verdictOf('SAFE', { expiresAt: ago(0) }) }),
    ]);
    expect(standingOf('bank', read(state), NOW)).toMatchObject({
      verdict: 'UNKNOWN',
      doubt: 'expired',
      fresh: true,
    });
  });

  it('is UNKNOWN when the verdict is from the future: clocks were set back, and the publisher has not judged since', () => {
    const before = later(3600);
    const verdict = verdictOf('SAFE', {
      decidedAt: before.toISOString(),
      expiresAt: new Date(before.getTime() + 600_000).toISOString(),
    });
    const state = read(stateOf('bank', [candidateOf('gasan', 'SAFE', { verdict })]));
    expect(standingOf('bank', state, NOW)).toMatchObject({ verdict: 'UNKNOWN', doubt: 'ahead', fresh: true });
  });

  it('lapses by itself when somebody may promote by it and nobody confirms it, and only then', () => {
    const [able, not] = (['SAFE', 'NOT_SAFE'] as const).map((word) => lapsing(verdictOf(word), 20_000));
    expect([able?.expiresAt, not?.expiresAt]).toEqual([ago(-15), ago(-595)]);
    expect(lapsing(verdictOf('SAFE_WITH_LOSS'), 3_600_000).expiresAt).toBe(ago(-595));
    const candidates = [candidateOf('gasan', 'SAFE', { verdict: able ?? null })];
    const state = read(stateOf('bank', candidates, { staleAfterMs: 60_000 }));
    expect(standingOf('bank', state, later(14))).toMatchObject({ verdict: 'SAFE', doubt: null });
    expect(standingOf('bank', state, later(15))).toMatchObject({ verdict: 'UNKNOWN', doubt: 'expired' });
  });

  it('has an outlook for as long as that was judged in time, and the verdict counts', () => {
    const outlook = lapsing(verdictOf('SAFE_WITH_LOSS'), 50_000);
    const bank = candidateOf('gasan', 'UNKNOWN', { outlook });
    const told = (candidate: typeof bank, seconds: number): unknown => {
      const state = stateOf('bank', [candidate], { staleAfterMs: 60_000 });
      return standingOf('bank', read(state), later(seconds)).best?.outlook?.verdict ?? null;
    };
    expect([told(bank, 44), told(bank, 45), told(bank, 70)]).toEqual(['SAFE_WITH_LOSS', null, null]);
    expect(told({ ...bank, verdict: null }, 0)).toBeNull();
  });

  it('is UNKNOWN without a verdict, or without a candidate', () => {
    const none = read(stateOf('bank', [candidateOf('gasan', 'SAFE', { verdict: null })]));
    expect(standingOf('bank', none, NOW)).toMatchObject({ verdict: 'UNKNOWN', doubt: 'none' });
    expect(standingOf('bank', read(stateOf('bank', [])), NOW)).toMatchObject({
      verdict: 'UNKNOWN',
      doubt: 'none',
    });
  });

  it('is that of the best candidate', () => {
    const state = stateOf('bank', [candidateOf('busan', 'NOT_SAFE'), candidateOf('gasan', 'SAFE_WITH_LOSS')]);
    const { verdict, best, candidates } = standingOf('bank', read(state), NOW);
    expect([verdict, best?.name, candidates.map(({ name }) => name)]).toEqual([
      'SAFE_WITH_LOSS',
      'gasan',
      ['gasan', 'busan'],
    ]);
  });
});

describe('a consistency group', () => {
  /** `seen`: so many seconds ago; `primary`: as it was found. */
  const member = (
    name: string,
    verdict: VerdictWord,
    secondsAgo: number | null,
    more: { dependsOn?: string[]; seen?: number; primary?: 'alive' | 'gone' } = {},
  ) => {
    const { dependsOn = [], seen = 2, primary = 'alive' } = more;
    const candidate = candidateOf('gasan', verdict, {
      recoveryPointAt: secondsAgo === null ? null : ago(secondsAgo),
    });
    const lag = candidate.lag === null ? null : { ...candidate.lag, at: ago(seen) };
    const state = stateOf(name, [{ ...candidate, lag }]);
    const found = { ...state, primary: { ...state.primary, state: primary } };
    return { name, dependsOn, standing: standingOf(name, read(found), NOW) };
  };
  const group = (maxSkew: number | null, ...members: ReturnType<typeof member>[]) =>
    groupStanding(
      { name: 'money', maxSkew },
      members,
      new Map(members.map(({ name, dependsOn }) => [name, dependsOn])),
    );

  it('is safe when its members are and lie within the policy', () => {
    const found = group(5_000, member('a', 'SAFE', 2), member('b', 'SAFE', 6));
    expect(found).toMatchObject({ verdict: 'SAFE', why: null, skewMs: 4_000, ahead: [] });
    expect(found.commonPointAt?.toISOString()).toBe(ago(6));
  });

  it('is not safe when they lie further apart', () => {
    expect(group(3_000, member('a', 'SAFE', 2), member('b', 'SAFE', 6))).toMatchObject({
      verdict: 'NOT_SAFE',
      why: 'skew-beyond-policy',
    });
  });

  it('is not called too far apart by points that were seen one after the other, nor safe by them', () => {
    // Each 2 s behind, seen 4 s apart: nothing says that they are apart at all, and nothing that they are not.
    const seen = [member('a', 'SAFE', 7, { seen: 5 }), member('b', 'SAFE', 3, { seen: 1 })] as const;
    expect(group(3_000, ...seen)).toMatchObject({
      verdict: 'UNKNOWN',
      why: 'skew-unsettled',
      skewMs: 4_000,
      skewAtLeastMs: 0,
      ahead: [],
    });
    expect(group(4_000, ...seen)).toMatchObject({ verdict: 'SAFE', why: null });
    // One that was seen later and is behind all the same.
    const behind = [member('a', 'SAFE', 3, { seen: 5 }), member('b', 'SAFE', 7, { seen: 1 })] as const;
    expect(group(3_000, ...behind)).toMatchObject({ verdict: 'NOT_SAFE', skewAtLeastMs: 4_000 });
    // Of a primary that is gone nothing goes on.
    const gone = [member('a', 'SAFE', 7, { seen: 5, primary: 'gone' }), seen[1]] as const;
    expect(group(3_000, ...gone)).toMatchObject({ verdict: 'NOT_SAFE', why: 'skew-beyond-policy' });
  });

  it('is unknown when a point is, or nobody says how far they may lie apart', () => {
    expect(group(5_000, member('a', 'SAFE', 2), member('b', 'SAFE', null))).toMatchObject({
      verdict: 'UNKNOWN',
      why: 'unknown-points',
      skewMs: null,
      commonPointAt: null,
    });
    expect(group(null, member('a', 'SAFE', 2), member('b', 'SAFE', 6))).toMatchObject({
      verdict: 'UNKNOWN',
      why: 'no-skew-policy',
    });
  });

  it('is no better than its worst member', () => {
    for (const worst of ['NOT_SAFE', 'UNKNOWN', 'SAFE_WITH_LOSS'] as const) {
      expect(group(9_000, member('a', 'SAFE', 2), member('b', worst, 3))).toMatchObject({
        verdict: worst,
        why: 'members',
      });
    }
  });

  it('names a consumer that stands ahead of its producer', () => {
    const reports = member('reports', 'SAFE', 2, { dependsOn: ['orders'] });
    expect(group(9_000, member('orders', 'SAFE', 6), reports).ahead).toEqual([
      { consumer: 'reports', producer: 'orders', ms: 4_000 },
    ]);
    // Through a system whose point nobody knows.
    const between = member('orders', 'SAFE', null, { dependsOn: ['entry'] });
    expect(group(9_000, member('entry', 'SAFE', 7), between, reports).ahead).toEqual([
      { consumer: 'reports', producer: 'entry', ms: 5_000 },
    ]);
  });
});

describe('a fleet', () => {
  const config = fleetConfig({
    bank: 'tier: "1", dependsOn: [keys]',
    keys: 'tier: "2", dependsOn: [disk]',
    disk: 'tier: "3"',
    mail: 'tier: "3"',
  });

  it('has every system of the configuration, in the order of promotion, with what must come first', () => {
    const states = new Map([
      ['bank', read(stateOf('bank', [candidateOf('gasan', 'SAFE')]))],
      ['keys', read(stateOf('keys', [candidateOf('gasan', 'SAFE')]))],
      ['other', read(stateOf('other', []))],
    ]);
    const { systems, strangers } = fleetView(fleetPlan(config), states, NOW);
    expect(
      systems.map((one) => [
        one.config.name,
        one.standing.verdict,
        one.blockers.map(({ name }) => name).join(),
      ]),
    ).toEqual([
      ['disk', 'UNKNOWN', ''],
      ['keys', 'SAFE', 'disk'],
      ['bank', 'SAFE', 'disk'],
      ['mail', 'UNKNOWN', ''],
    ]);
    expect(strangers).toEqual(['other']);
  });

  it('names a system as one to wait for whose group must not be promoted, to those outside of it', () => {
    const apart = fleetConfig(
      { a: 'group: money', b: 'group: money, dependsOn: [a]', c: 'dependsOn: [b]' },
      'fleet: { groups: { money: { maxSkew: 3s } } }\n',
    );
    const at = (name: string, seconds: number): [string, ReadState] => [
      name,
      read(stateOf(name, [candidateOf('gasan', 'SAFE', { recoveryPointAt: ago(seconds) })])),
    ];
    const { systems } = fleetView(fleetPlan(apart), new Map([at('a', 9), at('b', 2), at('c', 2)]), NOW);
    expect(systems.map(({ blockers }) => blockers)).toEqual([
      [],
      [],
      [
        { name: 'b', verdict: 'NOT_SAFE' },
        { name: 'a', verdict: 'NOT_SAFE' },
      ],
    ]);
  });
});

describe('the folder of states', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'twinproof-state-'));
  });
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  it('is read as it is now, and one damaged file takes no other with it', async () => {
    const own = path.join(folder, 'a');
    const states = new StateFolder(own);
    expect([...(await states.read())]).toEqual([]);
    await writeState(own, stateOf('bank', [candidateOf('gasan', 'SAFE')]));
    await writeState(own, stateOf('mail', []));
    const [first, again] = [await states.read(), await states.read()];
    expect([...first.keys()].sort()).toEqual(['bank', 'mail']);
    expect(again.get('bank')).toBe(first.get('bank'));
    writeFileSync(statePath(own, 'bank'), '{');
    writeFileSync(statePath(own, 'mail'), JSON.stringify({ ...stateOf('bank', []) }));
    writeFileSync(statePath(own, 'next'), JSON.stringify({ schema: 'twinproof.state/v2' }));
    const problems = [...(await states.read())].map(([name, { problem }]) => [name, problem]);
    expect(Object.fromEntries(problems)).toMatchObject({
      bank: 'the state file is not JSON',
      mail: 'the state file is of another system',
      next: expect.stringContaining('of another version, or damaged'),
    });
    rmSync(statePath(own, 'bank'));
    expect((await states.read()).has('bank')).toBe(false);
  });

  it('takes back what it wrote', async () => {
    const own = path.join(folder, 'b');
    const state: SystemState = stateOf('bank', [
      candidateOf('gasan', 'NOT_SAFE'),
      candidateOf('busan', 'UNKNOWN'),
    ]);
    await writeState(own, state);
    expect((await new StateFolder(own).read()).get('bank')).toEqual(read(state));
  });

  it('tells at once which file was put there, also of a folder that comes later', async () => {
    const own = path.join(folder, 'c');
    const watch = new FolderWatch(own, '.state.json');
    const { signal } = new AbortController();
    await watch.keep();
    await writeState(own, stateOf('bank', []));
    await watch.keep();
    await writeState(own, stateOf('mail', []));
    await watch.wait(30_000, signal);
    expect(watch.take(64)).toEqual(['mail.state.json']);
    rmSync(own, { recursive: true });
    await writeState(own, stateOf('bank', []));
    await watch.keep();
    watch.take(64);
    await writeState(own, stateOf('keys', []));
    await watch.wait(30_000, signal);
    expect(watch.take(64)).toContain('keys.state.json');
    watch.close();
    await watch.wait(30_000, AbortSignal.abort());
  });

  it('refuses a name that is a path', () => {
    expect(() => statePath('/x', '../y')).toThrow(/cannot name a file/);
  });
});

function liveOf(states: ReadonlyMap<string, ReadState>, now: () => Date): Live {
  const reading = (): Promise<ReadonlyMap<string, ReadState>> => Promise.resolve(states);
  const folder = { read: reading, reread: reading };
  return new Live({ config: fleetConfig({ bank: '', mail: '' }), folder, now });
}

function dataOf(event: LiveEvent | undefined): {
  names?: string[];
  summary?: string | null;
  rows?: string[][];
} {
  return JSON.parse(event?.data ?? '{}');
}

describe('open pages', () => {
  it('are told of one file at once, with its row alone, and of the counts only when they have changed', async () => {
    const states = new Map([['bank', read(stateOf('bank', [candidateOf('gasan', 'SAFE')]))]]);
    const live = liveOf(states, () => NOW);
    await live.look();
    const [events, names]: [LiveEvent[], LiveEvent[]] = [[], []];
    live.listen((event) => events.push(event), 'en');
    live.listen((event) => names.push(event), null);
    await live.hear(['bank.state.json']);
    states.set('bank', read(stateOf('bank', [candidateOf('gasan', 'SAFE')])));
    await live.hear(['bank.state.json']);
    states.set('bank', read(stateOf('bank', [candidateOf('gasan', 'NOT_SAFE')])));
    await live.hear(['bank.state.json']);
    expect(events.map(dataOf)).toMatchObject([
      { names: ['bank'], summary: null, rows: [['bank', expect.stringContaining('data-verdict="SAFE"')]] },
      { summary: expect.stringContaining('Not safe'), rows: [['bank', expect.stringContaining('NOT_SAFE')]] },
    ]);
    expect(names.map(dataOf)).toEqual(
      events.map(dataOf).map(({ names: changed }) => ({ at: NOW.toISOString(), names: changed })),
    );
  });

  it('are told first of what has changed since they were made', async () => {
    let now = NOW;
    const states = new Map([['bank', read(stateOf('bank', [candidateOf('gasan', 'SAFE')]))]]);
    const live = liveOf(states, () => now);
    await live.look();
    now = later(5);
    states.set('mail', read(stateOf('mail', [candidateOf('gasan', 'SAFE')])));
    await live.look();
    expect(dataOf(live.news(later(3).getTime(), 'en')).names).toEqual(['mail']);
    now = later(7);
    expect(live.news(later(6).getTime(), 'en').name).toBe('beat');
    expect(live.news(Number.NaN, null).name).toBe('beat');
  });

  it('are told of everything when the clock was set back since they were made', async () => {
    let now = later(100);
    const states = new Map([['bank', read(stateOf('bank', [candidateOf('gasan', 'SAFE')]))]]);
    const live = liveOf(states, () => now);
    await live.look();
    const page = now.getTime();
    now = NOW;
    states.set('bank', read(stateOf('bank', [candidateOf('gasan', 'NOT_SAFE')])));
    await live.look();
    expect(dataOf(live.news(page, 'en')).names).toContain('bank');
  });

  it('are told what has changed, and of nothing when nothing has', async () => {
    let now = NOW;
    const bank = read(stateOf('bank', [candidateOf('gasan', 'SAFE')]));
    const states = new Map([['bank', bank]]);
    const live = liveOf(states, () => now);
    await live.look();
    const events: LiveEvent[] = [];
    const stop = live.listen((event) => events.push(event), 'ko');
    await live.look();
    now = later(28);
    await live.look();
    stop();
    await live.look();
    expect(events.map(({ name }) => name)).toEqual(['beat', 'change']);
    const change: { names: string[]; rows: [string, string][] } = JSON.parse(events[1]?.data ?? '');
    expect(change.names).toEqual(['bank']);
    expect(change.rows[0]?.[1]).toContain('감시 프로세스가 상태 게시를 멈췄습니다');
  });

  it('are told UNKNOWN when the states cannot be read', async () => {
    const failing = (): Promise<never> => Promise.reject(new Error('no disk'));
    const folder = { read: failing, reread: failing };
    const live = new Live({ config: fleetConfig({ bank: '' }), folder, now: () => NOW });
    await live.look();
    expect(live.problem).toBe('no disk');
    expect(live.view.systems[0]?.standing).toMatchObject({
      verdict: 'UNKNOWN',
      doubt: 'unreadable',
      problem: 'no disk',
    });
  });

  it('and whoever asks are told UNKNOWN once what was read is too old, also while reading hangs', async () => {
    let now = NOW;
    const states = new Map([['bank', read(stateOf('bank', [candidateOf('gasan', 'SAFE')]))]]);
    const answers = [Promise.resolve(states), new Promise<never>(() => undefined)];
    const reading = (): Promise<ReadonlyMap<string, ReadState>> =>
      answers.shift() ?? Promise.reject(new Error());
    const folder = { read: reading, reread: reading };
    const live = new Live({ config: fleetConfig({ bank: '' }), folder, now: () => now });
    await live.look();
    const events: LiveEvent[] = [];
    live.listen((event) => events.push(event), 'en');
    void live.look();
    expect([live.view.systems[0]?.standing.verdict, live.problem]).toEqual(['SAFE', null]);
    now = later(20);
    expect(live.view.systems[0]?.standing).toMatchObject({ verdict: 'UNKNOWN', doubt: 'stale' });
    expect(live.rows('en').get('bank')?.text).toContain('data-verdict="UNKNOWN"');
    expect(live.problem).toMatch(/does not come to an end/);
    expect(events.map(dataOf)).toMatchObject([{ names: ['bank'] }]);
  });
});

describe('HTML', () => {
  it('shows what is HTML in a value as text, in elements and attributes, and what cannot be seen as an escape', () => {
    const value = `<img src=x onerror="alert('1')">&\u202e\u0000`;
    expect(html`<p title="${value}">${[value, null, 3]}</p>`.text).toBe(
      '<p title="&lt;img src=x onerror=&quot;alert(&#39;1&#39;)&quot;&gt;&amp;\\u{202e}\\x00">&lt;img src=x onerror=&quot;alert(&#39;1&#39;)&quot;&gt;&amp;\\u{202e}\\x003</p>',
    );
    expect(html`${html`<b></b>`}`.text).toBe('<b></b>');
  });

  it('leaves the indentation of our templates out, and every blank of a value in', () => {
    const value = 'a   b';
    expect(
      html`<p>
        <b>${value}</b>
      </p>`.text,
    ).toBe('<p>\n<b>a   b</b>\n</p>');
  });
});
