import type { LedgerConfig, SiteConfig, SystemConfig } from '../config/schema.ts';
import { looksLikeUrl } from '../config/url.ts';
import type { Position } from '../connector/position.ts';
import { TwinproofError } from '../errors.ts';
import { Known } from '../ledger/known.ts';
import { Ledger } from '../ledger/ledger.ts';
import { ledgerOptions } from '../ledger/options.ts';
import { Store } from '../ledger/store.ts';
import type { Fence, HeadEvidence, VerdictMode } from '../verdict/evidence.ts';
import { rankCandidates } from '../verdict/ranking.ts';
import { judge } from '../verdict/verdict.ts';
import { placeOf } from './candidate-place.ts';
import { askCandidate, type CandidateFindings, openCandidate } from './certify-candidate.ts';
import { evidenceOf, type SystemFacts } from './certify-evidence.ts';
import {
  askPrimary,
  headAfter,
  type HeadBefore,
  type LedgerConnector,
  NO_HEAD,
  type PrimaryState,
  redefinedTables,
} from './certify-primary.ts';
import { certificateTarget, EXIT_OF } from './certificate-target.ts';
import { type CertifiedCandidate, writeAnswer } from './certify-output.ts';
import type { SiteIo } from './io.ts';
import { readConfig, systemNamed } from './sites.ts';
import { REAL_TIMING, steadyMs } from './timing.ts';

/** How long a ledger and candidates may take to reach the head of a primary that stands still, and how often to look. */
const REACH_MS_MAX = 10_000;
const REACH_POLL_MS = 200;

export interface LedgerCertifyOptions {
  readonly config: string | null;
  readonly system: string | null;
  readonly primary: string | null;
  /** A candidate's name; null: all of the system. */
  readonly candidate: string | null;
  /** False: two live sites are to be compared, whatever the configuration says. */
  readonly ledger: boolean;
  /** Null: whichever it is, by whether the primary answers. */
  readonly mode: VerdictMode | null;
  readonly primaryLost: boolean;
  readonly fence: Fence | null;
  readonly quiesced: boolean;
  readonly losses: string | null;
  readonly format: 'text' | 'json';
  readonly out: string | null;
  readonly key: string | null;
  readonly jobs: number;
  readonly statementTimeoutMs: number;
}

/** A ledger that `certify` goes by. */
export interface ChosenLedger {
  readonly system: SystemConfig;
  readonly ledger: LedgerConfig;
  readonly candidates: readonly SiteConfig[];
}

/**
 * The ledger that the options mean; null: there is none, and two live sites are compared. Throws TP-USAGE where only a
 * ledger could answer and there is none, TP-CONFIG, TP-SECRET.
 */
export async function chosenLedger(options: LedgerCertifyOptions, io: SiteIo): Promise<ChosenLedger | null> {
  const needed =
    options.primaryLost || options.fence !== null || options.losses !== null || options.mode === 'failover';
  const typedUrl = [options.primary, options.candidate].some(
    (typed) => typed !== null && looksLikeUrl(typed),
  );
  if (options.config === null || !options.ledger || typedUrl) {
    if (needed) throw noLedger('give --config, and the candidate by its name there');
    return null;
  }
  const config = await readConfig(options.config, io);
  if (config.ledger === null) {
    if (needed)
      throw noLedger('the configuration names none: add `ledger: { path: … }` and run `twinproof watch`');
    return null;
  }
  if (options.system === null && config.systems.length !== 1 && !needed) return null;
  const system = systemNamed(config, options.system);
  const { folder } = ledgerOptions(config.ledger, system.name, unplaced(io));
  if (!Store.exists(folder) && !needed) {
    io.stderr(`warning: there is no ledger in ${folder}: two live sites are compared\n`);
    return null;
  }
  return { system, ledger: config.ledger, candidates: candidatesOf(system, options.candidate) };
}

function noLedger(hint: string): TwinproofError {
  return new TwinproofError('TP-USAGE', {
    message: 'only a ledger can answer this, and there is none',
    hint,
  });
}

/** The candidates that are meant: all, or the one that was typed. Throws TP-USAGE. */
export function candidatesOf(system: SystemConfig, typed: string | null): readonly SiteConfig[] {
  if (typed === null) return system.candidates;
  const name = typed.startsWith(`${system.name}/`) ? typed.slice(system.name.length + 1) : typed;
  const found = system.candidates.filter((candidate) => candidate.name === name);
  if (found.length > 0) return found;
  const names = system.candidates.map((candidate) => candidate.name).join(', ');
  throw new TwinproofError('TP-USAGE', {
    message: `the system has no such candidate; it has ${names}`,
    hint: 'give --candidate by its name in the configuration',
  });
}

/** What reading a ledger needs and no connector has to say. */
function unplaced(io: SiteIo): Parameters<typeof ledgerOptions>[2] {
  return { source: null, comparePositions: () => 'incomparable', now: io.now };
}

/** `twinproof certify` by a ledger. The answer is the exit code: that of the best candidate. */
export async function runLedgerCertify(
  options: LedgerCertifyOptions,
  chosen: ChosenLedger,
  io: SiteIo,
): Promise<number> {
  const target = await certificateTarget(options, io);
  for (const site of [chosen.system.primary, ...chosen.candidates])
    for (const warning of site.warnings) io.stderr(`warning: ${warning}\n`);
  const run = new LedgerRun(options, chosen, io);
  try {
    const certified = await run.certify();
    const ranking = rankCandidates(certified);
    const [best] = ranking.candidates;
    if (best === undefined) throw new TwinproofError('TP-BUG', { message: 'there is no candidate' });
    await writeAnswer({ options, certified, ranking, target, ledger: run.ledger }, io);
    return EXIT_OF[best.verdict.verdict];
  } finally {
    await run.close();
  }
}

/** One run: what is open, and in which order things are asked. */
class LedgerRun {
  readonly #options: LedgerCertifyOptions;
  readonly #chosen: ChosenLedger;
  readonly #io: SiteIo;
  readonly #sites = new Map<string, LedgerConnector | string>();
  #ledger: Ledger | null = null;
  #primary: PrimaryState = { kind: 'gone' };
  /** Of a living primary: tables that it has otherwise than the ledger. */
  #redefined: readonly string[] = [];

  constructor(options: LedgerCertifyOptions, chosen: ChosenLedger, io: SiteIo) {
    this.#options = options;
    this.#chosen = chosen;
    this.#io = io;
  }

  get ledger(): Ledger {
    if (this.#ledger === null) throw new TwinproofError('TP-BUG', { message: 'the ledger is not open' });
    return this.#ledger;
  }

  async certify(): Promise<readonly CertifiedCandidate[]> {
    const { candidates, system } = this.#chosen;
    await this.#openLedger();
    const [primary] = await Promise.all([this.#askPrimary(), ...candidates.map((site) => this.#open(site))]);
    this.#primary = primary;
    const mode = this.#mode(primary);
    const living = primary.kind === 'alive' && mode === 'switchover' ? primary : null;
    const before = living === null ? null : await this.#reachHead(living.site);
    const findings = await Promise.all(candidates.map((site) => this.#ask(site)));
    const facts: SystemFacts = {
      mode,
      system,
      ledger: this.ledger,
      known: new Known(this.ledger.core.store),
      fence: this.#options.fence,
      primary:
        living === null ? null : { identity: living.identity, readiness: await this.#readiness(living.site) },
      primaryAnswers: answers(primary),
      redefined: this.#redefined,
      now: this.#io.now(),
    };
    return await Promise.all(findings.map((one) => this.#judge(facts, one, living, before)));
  }

  async close(): Promise<void> {
    for (const site of this.#sites.values()) if (typeof site !== 'string') await site.close();
    if (this.#primary.kind === 'alive') await this.#primary.site.close();
    await this.#ledger?.close();
  }

  async #judge(
    facts: SystemFacts,
    findings: CandidateFindings,
    living: { readonly site: LedgerConnector } | null,
    before: HeadBefore | null,
  ): Promise<CertifiedCandidate> {
    const { quiesced } = this.#options;
    const none: { evidence: HeadEvidence; ledgerReached: boolean } = {
      evidence: { ...NO_HEAD, quiesced },
      ledgerReached: false,
    };
    const position = findings.place?.position ?? null;
    const head =
      living === null || before === null
        ? none
        : await headAfter(living.site, before, position, facts.ledger, quiesced, this.#io.signal);
    const evidence = evidenceOf(facts, findings, head);
    return { name: findings.name, findings, evidence, verdict: judge(evidence) };
  }

  #readiness(site: LedgerConnector): ReturnType<LedgerConnector['readiness']> {
    const pair = new Known(this.ledger.core.store).stream()?.pair ?? 'physical';
    return site.readiness(this.#io.signal, { pair, as: 'primary' });
  }

  #askPrimary(): Promise<PrimaryState> {
    const { primaryLost, jobs, statementTimeoutMs } = this.#options;
    const { source } = this.ledger.identity;
    const { system } = this.#chosen;
    const question = { system, lost: primaryLost, source, jobs, statementTimeoutMs, sleep };
    return askPrimary(question, this.#io);
  }

  /** What was asked for, or what the primary's answer makes it. */
  #mode(primary: PrimaryState): VerdictMode {
    const { mode, primaryLost, fence } = this.#options;
    if (mode !== null) return mode;
    if (primaryLost || fence !== null) return 'failover';
    return primary.kind === 'alive' ? 'switchover' : 'failover';
  }

  async #openLedger(): Promise<void> {
    const { system, ledger } = this.#chosen;
    await this.#ledger?.close();
    this.#ledger = null;
    this.#ledger = await Ledger.read(ledgerOptions(ledger, system.name, unplaced(this.#io)));
  }

  async #open(site: SiteConfig): Promise<void> {
    this.#sites.set(site.name, await openCandidate(this.#question(site), this.#io));
  }

  #ask(site: SiteConfig): Promise<CandidateFindings> {
    const opened = this.#sites.get(site.name) ?? 'it was not asked';
    return askCandidate(this.#question(site), opened, this.#io);
  }

  #question(candidate: SiteConfig): Parameters<typeof askCandidate>[0] {
    const { jobs, statementTimeoutMs } = this.#options;
    const { ledger } = this;
    const known = new Known(ledger.core.store);
    return { ledger, known, system: this.#chosen.system, candidate, jobs, statementTimeoutMs, sleep };
  }

  /** Reads the head, and waits, within bounds, until the ledger has its definitions and, as the candidates, all before it. */
  async #reachHead(primary: LedgerConnector): Promise<HeadBefore> {
    const before = await primary.head(this.#io.signal);
    const reached = (position: Position | null): boolean => {
      const order = position === null ? 'incomparable' : primary.comparePositions(position, before.head);
      return order === 'equal' || order === 'after';
    };
    let isDefined = false;
    for (const end = steadyMs() + REACH_MS_MAX; ; await sleep(REACH_POLL_MS, this.#io.signal)) {
      const isLast = steadyMs() >= end;
      const isThere = reached(this.ledger.position);
      if (!isDefined && (isThere || isLast)) {
        // Read behind the head: what is redefined later than this moves it.
        this.#redefined = await redefinedTables(primary, this.ledger, this.#chosen.system, this.#io.signal);
        isDefined = this.#redefined.length === 0;
      }
      if (isLast || (isThere && isDefined && (await this.#candidatesReached(reached)))) break;
      if (!isThere || !isDefined) await this.#openLedger();
    }
    return before;
  }

  /** Those that say where they stand; the others are judged as they are. */
  async #candidatesReached(reached: (position: Position | null) => boolean): Promise<boolean> {
    const known = new Known(this.ledger.core.store).primary();
    for (const site of this.#sites.values()) {
      if (typeof site === 'string' || known === null) continue;
      try {
        await site.follow(known.followed, this.#io.signal);
        if (!reached((await placeOf(this.ledger, site, this.#io)).position)) return false;
      } catch (error) {
        if (this.#io.signal.aborted || !(error instanceof TwinproofError)) throw error;
      }
    }
    return true;
  }
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return REAL_TIMING.sleep(ms, signal);
}

function answers(primary: PrimaryState): string | null {
  if (primary.kind === 'gone') return null;
  return primary.kind === 'alive' ? 'the primary answers, and may be taking writes' : primary.message;
}
