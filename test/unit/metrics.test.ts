import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { METRICS } from '../../src/metrics/catalog.ts';
import { exposition } from '../../src/metrics/exposition.ts';
import { fleetPlan, fleetView } from '../../src/state/fleet-view.ts';
import { candidateOf, fleetConfig, NOW, read, stateOf } from './board-fixture.ts';

const OPS = path.resolve(import.meta.dirname, '../../ops');
const config = fleetConfig(
  {
    bank: 'tier: "1", objectives: { rto: 3h }, group: money',
    mail: 'group: money',
    gone: '',
    cards: 'group: cards',
  },
  'fleet: { groups: { money: { maxSkew: 5s }, cards: { maxSkew: 5s } } }\n',
);
const RUN = {
  name: 'certify',
  run: 'certify',
  at: '0 * * * *',
  zone: null,
  dueAt: NOW.toISOString(),
  startedAt: NOW.toISOString(),
  endedAt: NOW.toISOString(),
  outcome: 'failed',
  message: 'no disk',
  missed: 2,
  nextAt: NOW.toISOString(),
} as const;
const MIRROR = {
  topic: 'dr.ledger.bank',
  reachedAt: NOW.toISOString(),
  bytesBehind: '4096',
  tablesMissing: 0,
  trouble: null,
};
const READY = { word: 'ready', blocking: 0, unknown: 0, warnings: 0 } as const;
const CHECKED = { at: NOW.toISOString(), switchover: READY, failover: READY, findings: [], count: 0 };
const states = new Map([
  ['cards', read(stateOf('cards', [candidateOf('gasan', 'SAFE')]))],
  [
    'bank',
    read(
      stateOf('bank', [candidateOf('gasan', 'SAFE_WITH_LOSS', { checked: CHECKED })], {
        runs: [RUN],
        mirror: MIRROR,
      }),
    ),
  ],
  [
    'mail',
    read(
      stateOf('mail', [candidateOf('gasan', 'UNKNOWN', { recoveryPointAt: null, rows: null, lag: null })], {
        mirror: { ...MIRROR, reachedAt: null, bytesBehind: null, tablesMissing: null },
      }),
    ),
  ],
  [
    'gone',
    read(
      stateOf('gone', [candidateOf('gasan', 'SAFE')], {
        writtenAt: '2026-03-01T01:00:00.000Z',
        mirror: MIRROR,
      }),
    ),
  ],
]);

async function lines(format: 'prometheus' | 'openmetrics' = 'prometheus'): Promise<string[]> {
  return (await exposition(fleetView(fleetPlan(config), states, NOW), '1.2.3', format)).text.split('\n');
}

describe('metrics', () => {
  it('are told with units, timestamps and labels', async () => {
    expect(await lines()).toEqual(
      expect.arrayContaining([
        'twinproof_build_info{version="1.2.3"} 1',
        'twinproof_verdict{system="bank",candidate="gasan",verdict="SAFE_WITH_LOSS"} 1',
        'twinproof_verdict{system="bank",candidate="gasan",verdict="SAFE"} 0',
        `twinproof_recovery_point_timestamp_seconds{system="bank",candidate="gasan"} ${NOW.getTime() / 1000 - 2}`,
        'twinproof_loss_bound_seconds{system="bank",candidate="gasan"} 12.4',
        'twinproof_rto_objective_seconds{system="bank"} 10800',
        `twinproof_readiness_run_timestamp_seconds{system="bank",candidate="gasan"} ${NOW.getTime() / 1000}`,
        'twinproof_schedule_missed_runs{system="bank",schedule="certify"} 2',
        'twinproof_schedule_failed{system="bank",schedule="certify"} 1',
        'twinproof_mirror_known{system="bank"} 1',
        `twinproof_mirror_reached_timestamp_seconds{system="bank"} ${NOW.getTime() / 1000}`,
        'twinproof_mirror_behind_bytes{system="bank"} 4096',
        'twinproof_mirror_missing_tables{system="bank"} 0',
      ]),
    );
  });

  it('leave out what is unknown, and say that it is', async () => {
    const mail = (await lines()).filter((line) => line.includes('system="mail",candidate'));
    expect(mail).toContain('twinproof_recovery_point_known{system="mail",candidate="gasan"} 0');
    expect(mail).toContain('twinproof_loss_known{system="mail",candidate="gasan"} 0');
    expect(mail).toContain('twinproof_proof_known{system="mail",candidate="gasan"} 0');
    expect(mail.join('\n')).not.toMatch(/recovery_point_timestamp|lag_|loss_bound|oldest_proof|dirty|NaN|-1/);
    const mirror = (await lines()).filter((line) => line.startsWith('twinproof_mirror'));
    expect(mirror.filter((line) => line.includes('mail'))).toEqual([
      'twinproof_mirror_known{system="mail"} 0',
    ]);
    expect(mirror.join('\n')).not.toContain('cards');
    expect(await lines()).toContain('twinproof_group_skew_known{group="money"} 0');
    expect((await lines()).join('\n')).not.toContain('twinproof_group_skew_seconds{group="money"}');
  });

  it('say nothing of a system whose publisher has stopped but that it has, and UNKNOWN', async () => {
    const gone = (await lines()).filter((line) => line.includes('system="gone"'));
    expect(gone).toContain('twinproof_state_fresh{system="gone"} 0');
    expect(gone).toContain('twinproof_verdict{system="gone",candidate="gasan",verdict="UNKNOWN"} 1');
    expect(gone).toContain('twinproof_verdict{system="gone",candidate="gasan",verdict="SAFE"} 0');
    expect(gone.join('\n')).not.toMatch(
      /recovery_point|lag_|candidate_up|proof_known|loss_|integrity|mirror/,
    );
  });

  it('end as OpenMetrics wants it', async () => {
    const text = (await lines('openmetrics')).join('\n');
    expect(text.trimEnd()).toMatch(/# EOF$/);
  });
});

/** Names of ours in a text, with those that rules record. */
function namesIn(text: string): Set<string> {
  return new Set(text.replaceAll(/name: \S+/g, '').match(/\btwinproof[_:][a-z_:]*[a-z]/g));
}

describe('rules and dashboard', () => {
  const rules = readFileSync(path.join(OPS, 'prometheus-rules.yaml'), 'utf8');
  const recorded = new Set([...rules.matchAll(/record: (\S+)/g)].map(([, name]) => name ?? ''));

  it.each(['prometheus-rules.yaml', 'prometheus-rules.test.yaml', 'grafana-dashboard.json'])(
    'name no metric that is not exported: %s',
    async (file) => {
      const exported = new Set(
        [...(await lines()).join('\n').matchAll(/^# TYPE (\S+) gauge/gm)].map(([, name]) => name ?? ''),
      );
      const strange = [...namesIn(readFileSync(path.join(OPS, file), 'utf8'))].filter(
        (name) => !exported.has(name) && !recorded.has(name),
      );
      expect(strange).toEqual([]);
    },
  );

  it('know every metric that is exported by its own description', async () => {
    const described = [...(await lines()).join('\n').matchAll(/^# HELP (\S+) (.+)$/gm)];
    expect(described.length).toBeGreaterThan(25);
    for (const [, name = '', help] of described) {
      expect(Object.entries(METRICS).find(([known]) => known === name)?.[1].help).toBe(help);
    }
  });

  it('have a severity, a summary and a description for each alert', () => {
    const file: { groups: { rules: { alert?: string; labels?: object; annotations?: object }[] }[] } =
      parse(rules);
    const alerts = file.groups.flatMap((group) => group.rules).filter(({ alert }) => alert !== undefined);
    expect(alerts.length).toBeGreaterThan(8);
    for (const alert of alerts) {
      expect(alert).toMatchObject({
        alert: expect.stringMatching(/^Twinproof[A-Z]/),
        labels: { severity: expect.stringMatching(/^(critical|warning)$/) },
        annotations: { summary: expect.any(String), description: expect.any(String) },
      });
    }
  });
});
