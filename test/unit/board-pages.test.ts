import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { cutoverMain } from '../../src/board/cutover-page.ts';
import { REASON_TITLES } from '../../src/board/reasons-ko.ts';
import { ownPath } from '../../src/board/requests.ts';
import { systemMain } from '../../src/board/system-page.ts';
import { EN } from '../../src/board/words-en.ts';
import { KO } from '../../src/board/words-ko.ts';
import { READINESS_RULES } from '../../src/readiness/rules.ts';
import { html } from '../../src/report/html.ts';
import { fleetPlan, fleetView, type FleetSystem, type FleetView } from '../../src/state/fleet-view.ts';
import { ago, candidateOf, fleetConfig, NOW, read, stateOf, verdictOf } from './board-fixture.ts';

const SRC = path.resolve(import.meta.dirname, '../../src');
const NOTHING = html``;

function viewOf(
  facts: Readonly<Record<string, string>>,
  points: Readonly<Record<string, number>>,
): FleetView {
  const config = fleetConfig(facts, 'fleet: { groups: { money: { maxSkew: 3s } } }\n');
  const states = Object.entries(points).map(
    ([name, seconds]) =>
      [name, read(stateOf(name, [candidateOf('gasan', 'SAFE', { recoveryPointAt: ago(seconds) })]))] as const,
  );
  return fleetView(fleetPlan(config), new Map(states), NOW);
}

function named(view: FleetView, name: string): FleetSystem {
  const found = view.systems.find(({ config }) => config.name === name);
  if (found === undefined) throw new Error(`no ${name}`);
  return found;
}

describe('the page of the order of promotion', () => {
  it('has systems in their order from the top to the bottom, also where a group is not in one piece', () => {
    // b needs x, which needs a: between two of a group comes one that is not of it.
    const facts = { a: 'group: money', x: 'dependsOn: [a]', b: 'group: money, dependsOn: [x]' };
    const view = viewOf(facts, { a: 2, x: 2, b: 2 });
    const { text } = cutoverMain(view, new Map(), null, EN);
    expect([...text.matchAll(/data-system="(\w)"/g)].map(([, name]) => name)).toEqual(['a', 'x', 'b']);
    expect(text.match(/<h2>Group money<\/h2>/g)).toHaveLength(2);
    expect(text).toContain(EN.groupInParts);
    const whole = cutoverMain(viewOf({ a: 'group: money', b: 'group: money' }, {}), new Map(), null, EN).text;
    expect(whole.match(/<h2>Group money<\/h2>/g)).toHaveLength(1);
    expect(whole).not.toContain(EN.groupInParts);
  });
});

describe('the page of a system', () => {
  it('does not say that it can be promoted when its group must not be', () => {
    const facts = { a: 'group: money', b: 'group: money' };
    const text = (points: Readonly<Record<string, number>>): string => {
      const view = viewOf(facts, points);
      return systemMain(named(view, 'a'), view, NOTHING, EN).text;
    };
    expect(text({ a: 2, b: 2 })).toContain(EN.verdict.SAFE.meaning);
    const apart = text({ a: 2, b: 9 });
    expect(apart).not.toContain(EN.verdict.SAFE.meaning);
    expect(apart).toContain(EN.byItself('Safe'));
    expect(apart).toMatch(/class="hero not".*class="verdict-word">Not safe <code>NOT_SAFE/s);
    expect(apart).not.toContain(EN.noReasons);
    expect(apart).toContain('further apart than the policy allows');
  });

  it('names the tables of which something is not proven', () => {
    const config = fleetConfig({ bank: '' });
    const state = read(stateOf('bank', [candidateOf('gasan', 'UNKNOWN')]));
    const view = fleetView(fleetPlan(config), new Map([['bank', state]]), NOW);
    const { text } = systemMain(named(view, 'bank'), view, NOTHING, EN);
    expect(text).toMatch(/1 table not proven: gasan<\/h2>\s*<p class="tables">public\.ledger_entry/);
  });

  it('says as of when it is what a loss of the primary would come to, and when that was not judged again in time', () => {
    const text = (lapsesIn: number): string => {
      const outlook = verdictOf('SAFE_WITH_LOSS', { decidedAt: ago(25), expiresAt: ago(-lapsesIn) });
      const state = read(stateOf('bank', [candidateOf('gasan', 'UNKNOWN', { outlook })]));
      const view = fleetView(fleetPlan(fleetConfig({ bank: '' })), new Map([['bank', state]]), NOW);
      const page = systemMain(named(view, 'bank'), view, NOTHING, EN).text;
      return page.split(EN.onceFenced)[1]?.split('</dd>')[0] ?? '';
    };
    expect(text(1)).toMatch(/Safe with loss.*As of\s*<time datetime="2026-03-01T02:00:05\.000Z"/s);
    expect(text(0)).toMatch(
      /Unknown.*not judged again in time.*As of\s*<time datetime="2026-03-01T02:00:05\.000Z"/s,
    );
    expect(text(0)).not.toContain('Safe with loss');
  });

  it('does not count 0 tables as not proven where nothing was looked at', () => {
    const config = fleetConfig({ bank: '' });
    const known = candidateOf('gasan', 'UNKNOWN');
    const rows = known.rows === null ? null : { ...known.rows, unproven: [], unprovenTables: 0 };
    const state = read(stateOf('bank', [{ ...known, rows }]));
    const view = fleetView(fleetPlan(config), new Map([['bank', state]]), NOW);
    const { text } = systemMain(named(view, 'bank'), view, NOTHING, EN);
    expect(text).toContain('rows not all proven');
    expect(text).not.toContain('0 tables');
  });

  it('says in Korean what speaks against a promotion, beside its own words', () => {
    const config = fleetConfig({ bank: '' });
    const state = read(stateOf('bank', [candidateOf('gasan', 'NOT_SAFE')]));
    const view = fleetView(fleetPlan(config), new Map([['bank', state]]), NOW);
    const { text } = systemMain(named(view, 'bank'), view, NOTHING, KO);
    expect(text).toContain('행이 주 서버와 다릅니다');
    expect(text).toContain('<span class="sub" lang="en">rows differ from the primary’s</span>');
  });
});

describe('Korean titles', () => {
  it('are there for every reason of a verdict and every rule of readiness', () => {
    const folders = ['verdict', 'readiness', 'commands'].map((one) => path.join(SRC, one));
    const sources = folders.flatMap((folder) =>
      readdirSync(folder).map((file) => readFileSync(path.join(folder, file), 'utf8')),
    );
    const codes = new Set([
      ...sources.flatMap((text) => text.match(/(?<=')TP-[VN]-[A-Z-]+(?=')/g) ?? []),
      ...READINESS_RULES.map(({ code }) => code),
    ]);
    expect(codes.size).toBeGreaterThan(150);
    expect([...codes].filter((code) => !REASON_TITLES.has(code))).toEqual([]);
    expect([...REASON_TITLES.values()].filter((title) => !/\p{Script=Hangul}/u.test(title))).toEqual([]);
  });
});

describe('the page that somebody signs in for', () => {
  it.each([
    ['/systems/bank', '/systems/bank'],
    ['/?q=core&verdict=SAFE', '/?q=core&verdict=SAFE'],
    ['', '/'],
    ['//evil.example/x', '/'],
    ['/\\evil.example', '/'],
    ['/..//evil.example', '/'],
    ['https://evil.example/', '/'],
    ['javascript:alert(1)', '/'],
    ['/\t/evil.example', '/'],
  ])('%j is %j: nobody is led elsewhere', (next, expected) => {
    expect(ownPath(next)).toBe(expected);
  });
});
