import type { Waiver } from '../config/waiver.ts';
import { selecting } from '../config/selection.ts';
import { findSite, type FoundSite } from '../config/site.ts';
import type { Connector } from '../connector/contract.ts';
import { EXIT } from '../error-codes.ts';
import { TwinproofError } from '../errors.ts';
import { judgeReadiness } from '../readiness/judge.ts';
import type { PromotionMode, ReadinessSite } from '../readiness/rule.ts';
import { READINESS_RULES } from '../readiness/rules.ts';
import { summarise } from '../readiness/summary.ts';
import { readinessJson, type ReadinessReport } from '../report/readiness-json.ts';
import { readinessRulesPage } from '../report/readiness-rules.ts';
import { readinessText } from '../report/readiness-text.ts';
import { terminalJson } from '../report/terminal-text.ts';
import type { SiteIo } from './io.ts';
import { askSite, type AskedSite, NOT_ASKED, relationOf, rememberedPrimary } from './readiness-sites.ts';
import { chooseSites, type ChosenSites } from './sites.ts';

export interface ReadinessCommandOptions {
  readonly primary: string | null;
  readonly candidate: string | null;
  readonly config: string | null;
  readonly system: string | null;
  /** What the exit code is about; null: as the primary answers. */
  readonly mode: PromotionMode | null;
  readonly primaryLost: boolean;
  readonly deep: boolean;
  readonly statementTimeoutMs: number;
  readonly format: 'text' | 'json';
}

/** `twinproof readiness --rules`. */
export function printRules(io: Pick<SiteIo, 'stdout'>): void {
  io.stdout(readinessRulesPage(READINESS_RULES));
}

type Sites = Pick<ChosenSites, 'config' | 'candidate'> & {
  readonly primary: FoundSite | null;
  readonly inScope: (table: string) => boolean;
  readonly waivers: readonly Waiver[];
};

/**
 * `twinproof readiness`. The answer is the exit code. Throws as sites.ts does, and when the candidate cannot be reached;
 * a primary that cannot be reached is one of the cases that it is for.
 */
export async function runReadiness(options: ReadinessCommandOptions, io: SiteIo): Promise<number> {
  const sites = await sitesOf(options, io);
  const connecting = { jobs: 1, statementTimeoutMs: options.statementTimeoutMs };
  const [primary, candidate] = await Promise.allSettled([
    sites.primary === null || options.primaryLost
      ? Promise.resolve(null)
      : io.connect(sites.primary.address, connecting, io.signal),
    io.connect(sites.candidate.address, connecting, io.signal),
  ]);
  try {
    if (candidate.status === 'rejected') throw candidate.reason;
    const silence = primary.status === 'rejected' ? silenceOf(primary.reason, io) : null;
    const report = await reportOf(
      options,
      sites,
      primary.status === 'fulfilled' ? primary.value : null,
      candidate.value,
      silence,
      io,
    );
    const json = readinessJson(report);
    io.stdout(options.format === 'json' ? `${terminalJson(json, 2)}\n` : readinessText(json, io.screen));
    return exitOf(report);
  } finally {
    for (const site of [primary, candidate]) if (site.status === 'fulfilled') await site.value?.close();
  }
}

/** With the primary said to be lost its address need not be known. */
async function sitesOf(options: ReadinessCommandOptions, io: SiteIo): Promise<Sites> {
  if (options.primaryLost && options.primary === null && options.config === null) {
    if (options.candidate === null)
      throw new TwinproofError('TP-USAGE', { message: 'no candidate was given' });
    const candidate = findSite(null, options.candidate, 'candidate');
    return { config: null, primary: null, candidate, inScope: () => true, waivers: [] };
  }
  const chosen = await chooseSites({ ...options, tables: [], exclude: [] }, io);
  const { candidate, primary, selection } = chosen;
  return {
    config: chosen.config,
    primary,
    candidate,
    inScope: scopeOf(selection),
    waivers: waiversFor(chosen),
  };
}

/** Of `schema.table`, where either name may hold a dot: in scope if it is so in any reading. */
export function scopeOf(selection: ChosenSites['selection']): (name: string) => boolean {
  const selects = selecting(selection);
  return (name) => {
    const parts = name.split('.');
    return parts.some((_, at) => at > 0 && selects(parts.slice(0, at).join('.'), parts.slice(at).join('.')));
  };
}

/** Those of the candidate's system that are for every candidate, or for this one. */
export function waiversFor({
  candidate,
  primary,
}: Pick<ChosenSites, 'candidate' | 'primary'>): readonly Waiver[] {
  const { waivers = [] } = candidate.system ?? primary.system ?? {};
  return waivers.filter((waiver) => waiver.candidate === null || waiver.candidate === candidate.site?.name);
}

/** Why the primary does not answer. Ctrl-C and bugs are thrown. */
function silenceOf(error: unknown, io: SiteIo): string {
  if (io.signal.aborted || !(error instanceof TwinproofError) || error.code === 'TP-BUG') throw error;
  return error.message;
}

async function reportOf(
  options: ReadinessCommandOptions,
  sites: Sites,
  primary: Connector | null,
  candidate: Connector,
  silence: string | null,
  io: SiteIo,
): Promise<ReadinessReport> {
  const remembered = primary === null ? await rememberedPrimary(sites.config, sites.primary, io.now) : null;
  const relation = await relationOf(primary, candidate, remembered, io.signal);
  const { pair } = relation;
  const [theirs, ours] = await Promise.all([
    primary === null
      ? absent(remembered, sites.primary, silence)
      : askSite(primary, { pair, as: 'primary' }, io.signal),
    askSite(candidate, { pair, as: 'candidate', deep: options.deep }, io.signal),
  ]);
  const results = judgeReadiness({
    pair,
    primary: theirs,
    candidate: ours,
    inScope: sites.inScope,
    deep: options.deep,
    waiving: { waivers: sites.waivers, now: io.now() },
  });
  return {
    ...relation,
    mode: options.mode ?? (theirs.silence === null ? 'switchover' : 'failover'),
    checkedAt: io.now(),
    primary: { label: sites.primary?.label ?? null, ...theirs },
    candidate: { label: sites.candidate.label, ...ours },
    results,
  };
}

function absent(
  remembered: ReadinessSite | null,
  primary: FoundSite | null,
  silence: string | null,
): AskedSite {
  const engine = primary?.address.engine;
  return {
    ...NOT_ASKED,
    ...(engine === undefined ? {} : { engine }),
    ...remembered,
    silence: silence ?? NOT_ASKED.silence,
  };
}

function exitOf({ results, mode, refusal }: ReadinessReport): number {
  const { word, warnings } = summarise(results, mode);
  if (word === 'not-ready') return EXIT.critical;
  if (word === 'unknown' || refusal !== null) return EXIT.unknown;
  return warnings > 0 ? EXIT.warning : EXIT.ok;
}
