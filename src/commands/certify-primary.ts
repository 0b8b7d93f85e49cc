import type { SystemConfig } from '../config/schema.ts';
import type { Connector } from '../connector/contract.ts';
import type { Identity } from '../connector/identity.ts';
import { type LedgerSite, ledgerSite } from '../connector/ledger-sites.ts';
import type { Position } from '../connector/position.ts';
import { historyChange } from '../connector/source-history.ts';
import { TwinproofError } from '../errors.ts';
import { Known } from '../ledger/known.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { HeadEvidence } from '../verdict/evidence.ts';
import type { SiteIo } from './io.ts';

/** How often an address is tried that nobody answers at, how long each try may take, and how long to wait between. */
const TRIES = 3;
const TRY_MS = 2000;
const BETWEEN_MS = 300;

export type LedgerConnector = Connector & LedgerSite;

/** `gone`: it was said to be, or nobody answered at its address. `answers`: somebody does, and it is no living primary. */
export type PrimaryState =
  | { readonly kind: 'alive'; readonly site: LedgerConnector; readonly identity: Identity }
  | { readonly kind: 'gone' }
  | { readonly kind: 'answers'; readonly message: string };

export interface PrimaryQuestion {
  readonly system: SystemConfig;
  /** The operator says that it is lost: it is not asked. */
  readonly lost: boolean;
  /** LedgerIdentity.source. */
  readonly source: string;
  readonly jobs: number;
  readonly statementTimeoutMs: number;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** Asks the primary whether it lives. Bounded in time: a few seconds where packets vanish, less where they are refused. */
export async function askPrimary(question: PrimaryQuestion, io: SiteIo): Promise<PrimaryState> {
  if (question.lost) return { kind: 'gone' };
  for (let attempt = 1; ; attempt++) {
    const state = await tryPrimary(question, io);
    if (state.kind !== 'gone' || attempt === TRIES) return state;
    await question.sleep(BETWEEN_MS, io.signal);
  }
}

async function tryPrimary(question: PrimaryQuestion, io: SiteIo): Promise<PrimaryState> {
  const { system, jobs, statementTimeoutMs } = question;
  const { address, stream } = system.primary;
  const timer = new AbortController();
  const timeout = setTimeout(() => timer.abort(new TwinproofError('TP-TIMEOUT')), TRY_MS);
  const signal = AbortSignal.any([io.signal, timer.signal]);
  try {
    const site = ledgerSite(await io.connect(address, { jobs, statementTimeoutMs, stream }, signal));
    return await identified(site, question, signal);
  } catch (error) {
    if (io.signal.aborted || !(error instanceof TwinproofError)) throw error;
    if (SILENT.has(error.code)) return { kind: 'gone' };
    return { kind: 'answers', message: `a server answers at the primary’s address: ${error.message}` };
  } finally {
    clearTimeout(timeout);
  }
}

/** The errors of an address at which nobody answers. */
const SILENT: ReadonlySet<string> = new Set([
  'TP-UNREACHABLE',
  'TP-CONNECTION-LOST',
  'TP-TIMEOUT',
  'TP-INTERRUPTED',
]);

async function identified(
  site: LedgerConnector,
  { source }: PrimaryQuestion,
  signal: AbortSignal,
): Promise<PrimaryState> {
  let kept = false;
  try {
    const identity = await site.identify(signal);
    if (sourceOf(identity) !== source) {
      const message = `another server answers at the primary’s address (system ${identity.systemId})`;
      return { kind: 'answers', message };
    }
    if (identity.role === 'standby') {
      const message =
        'the server at the primary’s address is a standby: whether its primary lives was not asked';
      return { kind: 'answers', message };
    }
    if (!site.capabilities.ranges) {
      const message =
        'only what is told of the primary can be read, so whether it still takes writes is not known: say --primary-lost when it is cut off';
      return { kind: 'answers', message };
    }
    kept = true;
    return { kind: 'alive', site, identity };
  } finally {
    if (!kept) await site.close();
  }
}

/** As LedgerIdentity.source is written. */
function sourceOf({ systemId, database }: Identity): string {
  return `${systemId}/${database}`;
}

/**
 * Whether the server in the primary's place is of the history that the ledger has of it: places in the log of another one,
 * promoted in its place, may have the same names. Throws what asking throws.
 */
async function isOfHistory(primary: LedgerConnector, ledger: Ledger, signal: AbortSignal): Promise<boolean> {
  const followed = new Known(ledger.core.store).primary()?.followed;
  if (followed === undefined) return false;
  if (followed.timeline === null) return true;
  return historyChange(followed, await primary.followedSource(signal)) === 'none';
}

/** Without a primary nothing is known of its head. */
export const NO_HEAD: HeadEvidence = { quiesced: false, moved: null, quiet: null, applied: null };

/** The primary's head before the candidates are looked at, for the question whether it stood still meanwhile. */
export interface HeadBefore {
  readonly head: Position;
  readonly quiet: boolean | null;
}

/**
 * Whether the head stood where it was, and the candidate and the ledger had all before it. What cannot be read is
 * unknown.
 */
export async function headAfter(
  primary: LedgerConnector,
  before: HeadBefore,
  applied: Position | null,
  ledger: Ledger,
  quiesced: boolean,
  signal: AbortSignal,
): Promise<{ readonly evidence: HeadEvidence; readonly ledgerReached: boolean }> {
  const reached = (position: Position | null): boolean | null => {
    const order = position === null ? 'incomparable' : primary.comparePositions(position, before.head);
    return order === 'incomparable' ? null : order !== 'before';
  };
  const ledgerReached = reached(ledger.position) === true;
  try {
    const { head, quiet } = await primary.head(signal);
    if (!(await isOfHistory(primary, ledger, signal)))
      return { evidence: { ...NO_HEAD, quiesced }, ledgerReached: false };
    const order = primary.comparePositions(before.head, head);
    const moved = order === 'incomparable' ? null : order !== 'equal';
    const wasQuiet = before.quiet === true ? quiet : before.quiet;
    return { evidence: { quiesced, moved, quiet: wasQuiet, applied: reached(applied) }, ledgerReached };
  } catch (error) {
    if (signal.aborted || !(error instanceof TwinproofError)) throw error;
    return { evidence: { ...NO_HEAD, quiesced }, ledgerReached };
  }
}

/**
 * The tables in scope that are defined otherwise on the primary than the ledger knows them, by name: much of that is not
 * in the log. Those that it does not follow are unproven, whatever they are. Throws what reading the catalog throws.
 */
export async function redefinedTables(
  primary: LedgerConnector,
  ledger: Ledger,
  { tables: selection }: SystemConfig,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { store, catalog } = ledger.core;
  const known = new Known(store);
  const pair = known.stream()?.pair ?? 'physical';
  const sources =
    (await primary.fingerprints?.(selection, signal)) ??
    (await primary.sourceTables(selection, pair, signal));
  const before = new Map(known.definitions()?.tables.map((table) => [table.id, table]));
  const names: string[] = [];
  for (const { id, leaf, fingerprint } of sources) {
    const listed = before.get(id);
    before.delete(id);
    const isSame = listed?.unfollowed !== null || catalog.ofTable(id)?.fingerprint === fingerprint;
    if (listed?.leaf !== leaf || !isSame) names.push(leaf);
  }
  return [...names, ...[...before.values()].map(({ leaf }) => leaf)];
}
