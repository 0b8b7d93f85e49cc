import type { SiteConfig, SystemConfig } from '../config/schema.ts';
import type { RowShape } from '../connector/contract.ts';
import type { ReadinessFacts } from '../connector/facts.ts';
import type { Identity } from '../connector/identity.ts';
import { ledgerSite } from '../connector/ledger-sites.ts';
import { TwinproofError } from '../errors.ts';
import { reachedBy, takeProofs, wentBack, type Proofs } from '../ledger/candidate-check-proofs.ts';
import { atLeast } from '../ledger/candidate-check.ts';
import type { Known } from '../ledger/known.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { LedgerTable } from '../verdict/ledger-integrity.ts';
import type { ExcludedTable } from '../verdict/evidence.ts';
import { type CandidatePlace, certainView, placeOf } from './candidate-place.ts';
import { type Archive, readArchive } from './certify-archive.ts';
import type { LedgerConnector } from './certify-primary.ts';
import { readRows } from './certify-rows.ts';
import type { SiteIo } from './io.ts';

/** How long a candidate must stand still before nothing can be on its way into it any more. */
const REST_MS = 250;
/** How long a running `watch` may take to look for writes of others once more. */
const GUARD_MS_MAX = 5_000;
const GUARD_POLL_MS = 100;

export interface CandidateQuestion {
  readonly ledger: Ledger;
  readonly known: Known;
  readonly system: SystemConfig;
  readonly candidate: SiteConfig;
  readonly jobs: number;
  readonly statementTimeoutMs: number;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** What a candidate told, and what its rows showed. What could not be had is null. */
export interface CandidateFindings {
  readonly name: string;
  readonly site: LedgerConnector | null;
  readonly unreachable: string | null;
  readonly stranger: string | null;
  readonly identity: Identity | null;
  readonly skewMs: number | null;
  readonly readiness: ReadinessFacts | null;
  readonly incarnation: 'same' | 'other' | 'unbound';
  readonly wentBack: boolean;
  /** When its own log was last followed for writes of others, on the watcher's clock; null: it was not. */
  readonly guardedUntil: Date | null;
  readonly place: CandidatePlace | null;
  /** Of the primary's log, behind what the candidate has received. */
  readonly archive: Archive | null;
  readonly tables: readonly LedgerTable[];
  readonly excluded: readonly ExcludedTable[];
  readonly shapes: ReadonlyMap<string, RowShape>;
  readonly rowsRead: bigint;
  readonly startedAt: Date;
}

/** Opens a candidate. Null and the reason: it does not answer. */
export async function openCandidate(
  { candidate, jobs, statementTimeoutMs }: CandidateQuestion,
  io: SiteIo,
): Promise<LedgerConnector | string> {
  const { address, stream } = candidate;
  try {
    return ledgerSite(await io.connect(address, { jobs, statementTimeoutMs, stream }, io.signal));
  } catch (error) {
    return messageOfFailure(error, io);
  }
}

function messageOfFailure(error: unknown, io: SiteIo): string {
  if (io.signal.aborted || !(error instanceof TwinproofError)) throw error;
  return error.message;
}

/** Asks everything of one candidate. It stays open: the caller closes it. Throws only what is no fault of the candidate. */
export async function askCandidate(
  question: CandidateQuestion,
  site: LedgerConnector | string,
  io: SiteIo,
): Promise<CandidateFindings> {
  const nothing = empty(question.candidate.name, io.now());
  if (typeof site === 'string') return { ...nothing, unreachable: site };
  const reached = { ...nothing, site };
  try {
    const identified = await identify(question, site, io);
    const stranger = await follow(question, site, io);
    if (stranger !== null) return { ...reached, ...identified, stranger };
    return { ...reached, ...identified, ...(await look(question, site, io)) };
  } catch (error) {
    return { ...reached, unreachable: messageOfFailure(error, io) };
  }
}

function empty(name: string, startedAt: Date): CandidateFindings {
  return {
    name,
    site: null,
    unreachable: null,
    stranger: null,
    identity: null,
    skewMs: null,
    readiness: null,
    incarnation: 'unbound',
    wentBack: false,
    guardedUntil: null,
    place: null,
    archive: null,
    tables: [],
    excluded: [],
    shapes: new Map(),
    rowsRead: 0n,
    startedAt,
  };
}

async function identify(
  { known }: CandidateQuestion,
  site: LedgerConnector,
  io: SiteIo,
): Promise<Pick<CandidateFindings, 'identity' | 'skewMs' | 'readiness'>> {
  const asked = io.now().getTime();
  const identity = await site.identify(io.signal);
  const skewMs = Math.round(Date.parse(identity.serverTime) - (asked + io.now().getTime()) / 2);
  const pair = known.stream()?.pair ?? 'physical';
  return { identity, skewMs, readiness: await site.readiness(io.signal, { pair, as: 'candidate' }) };
}

/** Why it does not follow the ledger's primary, or not the log that the ledger has read; null: it does. */
async function follow(
  { known, ledger }: CandidateQuestion,
  site: LedgerConnector,
  io: SiteIo,
): Promise<string | null> {
  const followed = known.primary()?.followed ?? null;
  if (followed === null) return 'the ledger does not know its primary yet: `watch` has never reached it';
  try {
    await site.follow(followed, io.signal);
    if (ledger.position !== null) await site.demandLog?.(ledger.position, io.signal);
    return null;
  } catch (error) {
    if (!(error instanceof TwinproofError) || !STRANGERS.has(error.code)) throw error;
    return error.message;
  }
}

const STRANGERS: ReadonlySet<string> = new Set([
  'TP-UNRELATED',
  'TP-ROLES',
  'TP-SAME-SERVER',
  'TP-NAMES',
  'TP-GAP',
]);

type Seen = Pick<
  CandidateFindings,
  | 'incarnation'
  | 'wentBack'
  | 'guardedUntil'
  | 'place'
  | 'archive'
  | 'tables'
  | 'excluded'
  | 'shapes'
  | 'rowsRead'
>;

/** Proofs first, then the position, then the rows: so all that is held against the candidate is older than what it shows. */
async function look(question: CandidateQuestion, site: LedgerConnector, io: SiteIo): Promise<Seen> {
  const { ledger, known, system, candidate, sleep } = question;
  const proofs = takeProofs(ledger.core, candidate.name);
  const before = await site.incarnation(io.signal);
  const pair = known.stream()?.pair ?? 'physical';
  const told = await placeOf(ledger, site, io);
  // While one server runs it takes nothing back: what a subscriber has passed it only does not tell any more.
  const isSame = incarnationOf(proofs, before) === 'same';
  const floor = pair !== 'logical' || proofs === null || !isSame ? null : reachedBy(ledger.core, proofs);
  const view = told.view === null ? null : atLeast(told.view, floor);
  const place = { ...told, view };
  const guardedUntil = pair === 'physical' ? null : await guarded(question, before, io);
  const archive = await readArchive(candidate, site, told.pending.received, io);
  const nothing = {
    wentBack: false,
    guardedUntil,
    archive,
    tables: [],
    excluded: [],
    shapes: new Map(),
    rowsRead: 0n,
  };
  if (view === null) return { ...nothing, incarnation: incarnationOf(proofs, before), place };
  const answer = await readRows(
    {
      ledger,
      site,
      pair,
      proofs,
      view,
      selection: system.tables,
      definitions: known.definitions(),
      rest: { ms: REST_MS, sleep },
      floor,
    },
    io.signal,
  );
  // Asked again: the server may have been replaced while its rows were read.
  const after = await site.incarnation(io.signal);
  return {
    incarnation: before === after ? incarnationOf(proofs, after) : 'other',
    wentBack:
      proofs !== null && wentBack(ledger.core, proofs, certainView(ledger, site, pair, place) ?? view),
    guardedUntil,
    place,
    archive,
    tables: answer.tables,
    excluded: answer.excluded,
    shapes: answer.shapes,
    rowsRead: answer.read,
  };
}

/**
 * Up to when the writes of others to this candidate are on its dirty list, on the watcher's clock. A running `watch` moves
 * that on every second or so: within bounds it is waited for until it has passed the moment of asking. What was there
 * before does not count, nor what is of a time to come: clocks are set back.
 */
async function guarded(
  { known, candidate, sleep }: CandidateQuestion,
  incarnation: string,
  io: SiteIo,
): Promise<Date | null> {
  const asked = io.now().getTime();
  const guard = (): Date | null => {
    const own = known.ownLog(candidate.name);
    return own?.incarnation === incarnation ? new Date(Number(own.atUs / 1000n)) : null;
  };
  const before = guard();
  if (before === null) return null;
  for (let waitedMs = 0; waitedMs <= GUARD_MS_MAX; waitedMs += GUARD_POLL_MS) {
    const until = guard();
    const isNew = until !== null && until.getTime() !== before.getTime();
    if (isNew && until.getTime() >= asked && until.getTime() <= io.now().getTime()) return until;
    await sleep(GUARD_POLL_MS, io.signal);
  }
  return before.getTime() >= asked ? null : before;
}

function incarnationOf(proofs: Proofs | null, incarnation: string): CandidateFindings['incarnation'] {
  if (proofs === null) return 'unbound';
  return proofs.candidate.incarnation === incarnation ? 'same' : 'other';
}
