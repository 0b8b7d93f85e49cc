import { promotionOrder } from '../config/fleet-order.ts';
import { everyOf, type ScheduleConfig, STATE_DEFAULTS } from '../config/fleet.ts';
import type { Config } from '../config/load.ts';
import type { Policy } from '../config/policy.ts';
import type { SiteConfig, SystemConfig } from '../config/schema.ts';
import { type ScrubConfig, ScrubRates, windowText } from '../config/scrub.ts';
import { EXIT } from '../error-codes.ts';
import { Page } from '../report/page.ts';
import { countOf, durationText } from '../report/quantity.ts';
import { terminalJson } from '../report/terminal-text.ts';
import { longestGap, timesOf } from '../service/schedule-times.ts';
import type { SiteIo } from './io.ts';
import { readConfig } from './sites.ts';

/** Times of a schedule that are looked at for the longest gap between two: some days of an hourly one. */
const GAPS = 200;

export interface ConfigCheckOptions {
  readonly config: string;
  readonly format: 'text' | 'json';
}

type CheckIo = Pick<SiteIo, 'stdout' | 'environment' | 'screen' | 'now'>;

/** `twinproof config check`. The answer is the exit code. Throws TP-CONFIG, TP-SECRET. */
export async function runConfigCheck(options: ConfigCheckOptions, io: CheckIo): Promise<number> {
  const config = await readConfig(options.config, io);
  const warnings = [
    ...config.warnings,
    ...config.systems.flatMap((system) => systemWarnings(system, io.now())),
    ...groupWarnings(config),
  ];
  const order = promotionOrder(config.systems, config.fleet.tiers);
  io.stdout(
    options.format === 'json'
      ? `${terminalJson(checkJson(config, order, warnings), 2)}\n`
      : checkText(config, order, warnings, io),
  );
  return warnings.length === 0 ? EXIT.ok : EXIT.warning;
}

/** What is allowed, and will be regretted on the day it is needed. */
function systemWarnings(
  { name, primary, candidates, policy, scrub }: SystemConfig,
  now: Date,
): readonly string[] {
  const together = (field: 'site' | 'faultDomain', words: string): string[] => {
    const own = primary[field] ?? null;
    const shared = candidates.filter((candidate) => own !== null && candidate[field] === own);
    return shared.length < candidates.length ? [] : [`${name}: ${words} of the primary (${own})`];
  };
  return [
    ...together('site', 'every candidate is at the site'),
    ...together('faultDomain', 'every candidate is in the fault domain'),
    ...(policy.rpo === null ? [`${name}: no rpo is set, so that no loss at all can be accepted`] : []),
    ...(new ScrubRates(scrub).leastRows(policy.maxProofAge / 2, now.getTime()) > 0
      ? []
      : [`${name}: for half of policy.maxProofAge and more no row may be scrubbed: proofs will be too old`]),
  ];
}

/** Recovery points of two systems are seen up to `state.every` apart: what is closer cannot be told. */
function groupWarnings({ fleet, state }: Config): readonly string[] {
  const every = state?.every ?? STATE_DEFAULTS.every;
  return fleet.groups.flatMap(({ name, maxSkew }) =>
    maxSkew === null || maxSkew >= every
      ? []
      : [
          `group ${name}: maxSkew ${durationText(maxSkew)} is less than state.every ${durationText(every)}, so that the group will often be UNKNOWN`,
        ],
  );
}

function checkText(
  { file, fleet, systems }: Config,
  order: readonly SystemConfig[],
  warnings: readonly string[],
  { screen, now }: Pick<CheckIo, 'screen' | 'now'>,
): string {
  const page = new Page(screen);
  const name = fleet.name === null ? '' : ` (${fleet.name})`;
  page.paragraph(`${file}${name}: ${countOf(systems.length, 'system')}, in the order of promotion`, {
    first: `${page.paint('green', page.icons.same)} `,
    style: 'bold',
  });
  for (const [index, system] of order.entries()) {
    page.paragraph(systemText(system, now(), page.icons.next), {
      first: `${String(index + 1).padStart(4)}  `,
    });
  }
  if (warnings.length > 0) page.heading(`Warnings (${warnings.length})`);
  for (const warning of warnings) {
    page.paragraph(warning, { first: `  ${page.paint('yellow', page.icons.warn)} ` });
  }
  return page.toString();
}

function systemText(
  { name, primary, candidates, fleet, policy, scrub }: SystemConfig,
  now: Date,
  arrow: string,
): string {
  const { tier, owner, dependsOn, group, rto, schedules } = fleet;
  const objectives = [
    policy.rpo === null ? '' : `rpo ${durationText(policy.rpo)}`,
    rto === null ? '' : `rto ${durationText(rto)}`,
  ];
  return [
    `${name}: ${siteText(primary)} ${arrow} ${candidates.map(siteText).join(', ')}`,
    tier === null ? '' : `tier ${tier}`,
    owner ?? '',
    ...objectives,
    dependsOn.length === 0 ? '' : `after ${dependsOn.join(', ')}`,
    group === null ? '' : `group ${group}`,
    ...schedules.map((schedule) => scheduleText(schedule, policy, now)),
    scrubText(scrub),
  ]
    .filter((part) => part !== '')
    .join('; ');
}

/** How often certificates are renewed is told beside how long they hold: between the two there may be none. */
function scheduleText(schedule: ScheduleConfig, { certificateValidFor }: Policy, now: Date): string {
  const { name, run, at, zone } = schedule;
  const title = name === run ? run : `${name} (${run})`;
  const when = `${title} ${everyOf(at) === null ? 'at ' : ''}${at}${zone === null ? '' : ` ${zone}`}`;
  const gap = run === 'certify' ? longestGap(timesOf(schedule, certificateValidFor), now, GAPS) : null;
  if (gap === null) return when;
  return `${when}, up to ${durationText(gap)} apart, for certificates that hold ${durationText(certificateValidFor)}`;
}

function scrubText({ rowsPerSecond, zone, windows }: ScrubConfig): string {
  const rate = (rows: number | null): string =>
    rows === null ? 'unbounded' : rows === 0 ? 'nothing' : `${countOf(rows, 'row')}/s`;
  if (rowsPerSecond === null && windows.length === 0) return '';
  const otherwise = windows.map((window) => `${windowText(window)} ${rate(window.rowsPerSecond)}`);
  const clock = zone === null || windows.length === 0 ? '' : ` (${zone})`;
  return `scrub ${[rate(rowsPerSecond), ...otherwise].join(', ')}${clock}`;
}

function siteText({ name, site }: SiteConfig): string {
  return site === null || site === name ? name : `${name} (${site})`;
}

function checkJson(
  { file, fleet }: Config,
  order: readonly SystemConfig[],
  warnings: readonly string[],
): object {
  return {
    schema: 'twinproof.config-check/v1',
    file,
    fleet: fleet.name,
    systems: order.map(({ name, primary, candidates, fleet: facts, policy, scrub }) => ({
      name,
      ...facts,
      scrub,
      rpo: policy.rpo,
      primary: { site: primary.site, faultDomain: primary.faultDomain ?? null },
      candidates: candidates.map((one) => ({
        name: one.name,
        site: one.site,
        faultDomain: one.faultDomain ?? null,
      })),
    })),
    warnings,
  };
}
