import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { exposition } from '../../src/metrics/exposition.ts';
import { LISTED_MAX } from '../../src/state/schema.ts';
import { fleetPlan, fleetView } from '../../src/state/fleet-view.ts';
import { ago, candidateOf, fleetConfig, NOW, read, stateOf, verdictOf } from './board-fixture.ts';

const OPS = path.resolve(import.meta.dirname, '../../ops');
/** What README promises. */
const SERIES = { system: 20, candidate: 40 };

/** Series of a fleet of so many systems, each with as many candidates, which name so many tables. */
async function series(systems: number, candidates: number, tables: number): Promise<number> {
  const names = Array.from({ length: systems }, (_, index) => `system-${index}`);
  const config = fleetConfig(Object.fromEntries(names.map((name) => [name, 'objectives: { rto: 3h }'])));
  const named = Array.from({ length: tables }, (_, index) => `public.table_${index}`);
  const rows = {
    provenAt: null,
    unproven: named,
    unprovenTables: tables,
    dirty: '7',
    differences: tables,
    more: true,
    tables: named.map((table) => ({ table, differences: 1 })),
    listed: [],
  };
  const states = names.map((name) => {
    const all = Array.from({ length: candidates }, (_, index) =>
      candidateOf(`c${index}`, 'NOT_SAFE', { rows }),
    );
    return [name, read(stateOf(name, all))] as const;
  });
  const view = fleetView(fleetPlan(config), new Map(states), NOW);
  const { text } = await exposition(view, '1', 'prometheus');
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#')).length;
}

describe('the number of series', () => {
  it('grows with systems and candidates as README says, and not with tables or rows', async () => {
    const [one, more, two] = [await series(1, 1, 0), await series(1, 2, 0), await series(2, 1, 0)];
    expect(more - one).toBeLessThanOrEqual(SERIES.candidate);
    expect(two - one - (more - one)).toBeLessThanOrEqual(SERIES.system);
    expect(await series(1, 1, LISTED_MAX)).toBe(one);
  });
});

describe('what a promotion would come to', () => {
  it('is told of candidates whose primary lives, and of groups, in one of four words', async () => {
    const config = fleetConfig(
      { bank: 'group: money', mail: 'group: money' },
      'fleet: { groups: { money: { maxSkew: 5s } } }\n',
    );
    const bank = candidateOf('gasan', 'UNKNOWN', {
      outlook: verdictOf('SAFE_WITH_LOSS'),
      recoveryPointAt: ago(9),
    });
    const states = new Map([
      ['bank', read(stateOf('bank', [bank]))],
      ['mail', read(stateOf('mail', [candidateOf('gasan', 'SAFE')]))],
    ]);
    const { text } = await exposition(fleetView(fleetPlan(config), states, NOW), '1', 'prometheus');
    expect(text.split('\n').filter((line) => /^twinproof_(?:outlook|group_).*[^0]$/.test(line))).toEqual([
      'twinproof_outlook{system="bank",candidate="gasan",verdict="SAFE_WITH_LOSS"} 1',
      'twinproof_outlook{system="mail",candidate="gasan",verdict="UNKNOWN"} 1',
      'twinproof_group_verdict{group="money",verdict="NOT_SAFE"} 1',
      'twinproof_group_skew_known{group="money"} 1',
      'twinproof_group_skew_seconds{group="money"} 7',
      'twinproof_group_skew_at_least_seconds{group="money"} 7',
      'twinproof_group_skew_objective_seconds{group="money"} 5',
      `twinproof_group_common_point_timestamp_seconds{group="money"} ${NOW.getTime() / 1000 - 9}`,
    ]);
  });
});

describe('alerts', () => {
  it('have each a test in which it is raised', () => {
    const rules = readFileSync(path.join(OPS, 'prometheus-rules.yaml'), 'utf8');
    const names = [...rules.matchAll(/alert: (\S+)/g)].map(([, name]) => name);
    const file: { tests: { alert_rule_test: { alertname: string; exp_alerts?: object[] }[] }[] } = parse(
      readFileSync(path.join(OPS, 'prometheus-rules.test.yaml'), 'utf8'),
    );
    const raised = file.tests
      .flatMap((test) => test.alert_rule_test)
      .filter((test) => (test.exp_alerts?.length ?? 0) > 0)
      .map(({ alertname }) => alertname);
    expect(new Set(raised)).toEqual(new Set(names));
  });
});
