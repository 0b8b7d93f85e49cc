import type { SiteConfig } from '../config/schema.ts';
import { TwinproofError } from '../errors.ts';
import { Known } from '../ledger/known.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { askCandidate, type CandidateFindings, openCandidate } from './certify-candidate.ts';
import { askPrimary, type HeadBefore, type LedgerConnector, type PrimaryState } from './certify-primary.ts';
import type { SiteIo } from './io.ts';
import { type OfSite, type StateQuestion, withLedger } from './state-question.ts';
import { judged, type JudgedSystem } from './state-verdicts.ts';
import { REAL_TIMING } from './timing.ts';

/**
 * Verdicts of every candidate, as `certify` would reach them now, without waiting for anybody: a site that falls silent
 * meanwhile gives no evidence. Throws TP-LEDGER-…, and TP-TIMEOUT when the primary falls silent while its tables are read.
 */
export async function judgeSystem(question: StateQuestion, io: SiteIo): Promise<JudgedSystem> {
  const { system, statementTimeoutMs, silences } = question;
  const open: LedgerConnector[] = [];
  return await withLedger(question, io, async (ledger, lend) => {
    const ofSite: OfSite = (name, work) =>
      silences.reading(name, io.signal, (signal) => lend(work({ ...io, signal })));
    try {
      const { source } = ledger.identity;
      const asking = { system, lost: false, source, jobs: 1, statementTimeoutMs, sleep };
      const primary = await askPrimary(asking, io);
      if (primary.kind === 'alive') open.push(primary.site);
      const asked: Asked = { question, ledger, known: new Known(ledger.core.store), open, ofSite };
      const before = await headOf(primary, asked, io);
      const findings = await Promise.all(system.candidates.map((candidate) => ask(candidate, asked, io)));
      return await judged({ ...asked, system, primary, before, findings }, io);
    } finally {
      await Promise.all(open.map((site) => site.close()));
    }
  });
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return REAL_TIMING.sleep(ms, signal);
}

interface Asked {
  readonly question: StateQuestion;
  readonly ledger: Ledger;
  readonly known: Known;
  /** Sites that are to be closed at the end. */
  readonly open: LedgerConnector[];
  readonly ofSite: OfSite;
}

/** Null: it does not live, or does not say. */
async function headOf(
  primary: PrimaryState,
  { question, ofSite }: Asked,
  io: SiteIo,
): Promise<HeadBefore | null> {
  if (primary.kind !== 'alive') return null;
  try {
    return await ofSite(question.system.primary.name, ({ signal }) => primary.site.head(signal));
  } catch (error) {
    if (io.signal.aborted || !(error instanceof TwinproofError)) throw error;
    return null;
  }
}

/** A candidate that does not answer any more is as one that never did. */
async function ask(
  candidate: SiteConfig,
  { question, ledger, known, open, ofSite }: Asked,
  io: SiteIo,
): Promise<CandidateFindings> {
  const { system, statementTimeoutMs, silences } = question;
  const asking = { ledger, known, system, candidate, jobs: 1, statementTimeoutMs, sleep };
  const silent = silences.of(candidate.name);
  if (silent !== null) return await askCandidate(asking, silent, io);
  try {
    return await ofSite(candidate.name, async (own) => {
      const site = await openCandidate(asking, own);
      if (typeof site !== 'string') await keep(site, open, own.signal);
      return await askCandidate(asking, site, own);
    });
  } catch (error) {
    if (io.signal.aborted || !(error instanceof TwinproofError) || error.code !== 'TP-TIMEOUT') throw error;
    return await askCandidate(asking, error.message, io);
  }
}

/** One that was reached when it had been given up is closed here: nobody else will. */
async function keep(site: LedgerConnector, open: LedgerConnector[], signal: AbortSignal): Promise<void> {
  if (!signal.aborted) {
    open.push(site);
    return;
  }
  await site.close();
  signal.throwIfAborted();
}
