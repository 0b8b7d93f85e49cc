import { readCertificateFile } from '../certificate/chain.ts';
import { parseEnvelope } from '../certificate/envelope-parse.ts';
import { statementSchema } from '../certificate/statement-schema.ts';
import type { Statement } from '../certificate/statement.ts';
import type { Identity } from '../connector/identity.ts';
import { ledgerSite, type Succession } from '../connector/ledger-sites.ts';
import type { Position, PositionOrder } from '../connector/position.ts';
import { EXIT } from '../error-codes.ts';
import { TwinproofError } from '../errors.ts';
import { isPosition } from '../ledger/stored.ts';
import { Page } from '../report/page.ts';
import { OUTCOME_STYLE } from '../report/table-list.ts';
import { terminalJson } from '../report/terminal-text.ts';
import type { LedgerConnector } from './certify-primary.ts';
import type { SiteIo } from './io.ts';
import { readConfig, systemNamed } from './sites.ts';
import { findSite, type FoundSite } from '../config/site.ts';
import type { Config } from '../config/load.ts';

export interface PromotedOptions {
  readonly certificate: string;
  readonly config: string | null;
  readonly system: string | null;
  /** URL or name. */
  readonly candidate: string | null;
  readonly format: 'text' | 'json';
  readonly statementTimeoutMs: number;
}

/**
 * `certified`: it was promoted exactly where the certificate speaks of. `later`: it applied more before, of which the
 * certificate says nothing. `not promoted`: it has not left that timeline, or still applies its primary's log. `other`: it
 * is not what was certified. `untold`: it shows nothing by which that could be told.
 */
export type PromotedOutcome = 'certified' | 'later' | 'not promoted' | 'other' | 'untold';

const EXIT_OF: Readonly<Record<PromotedOutcome, number>> = {
  certified: EXIT.ok,
  later: EXIT.unknown,
  'not promoted': EXIT.unknown,
  other: EXIT.critical,
  untold: EXIT.unknown,
};

const WORDS: Readonly<Record<PromotedOutcome, string>> = {
  certified: 'it was promoted at the position that was certified',
  later: 'it was promoted behind the position that was certified: what it applied in between is not covered',
  'not promoted': 'it was not promoted: it has not left the timeline that was certified',
  other: 'IT IS NOT WHAT WAS CERTIFIED: it left that history before the certified position, or never had it',
  untold: 'whether it is what was certified cannot be told',
};

/** Of a site that applied rows. */
const ROW_WORDS: Readonly<Record<PromotedOutcome, string>> = {
  certified: 'it has of the primary’s log exactly what was certified',
  later: 'it has more of the primary’s log than was certified: what it applied since is not covered',
  'not promoted': 'it was not promoted: it still follows its primary, or tries to',
  other: 'IT IS NOT WHAT WAS CERTIFIED: it lacks transactions that were certified, or is another server',
  untold: 'whether it has what was certified cannot be told',
};

/**
 * `twinproof certify --after-promotion`: whether the promoted server is the certified one, where it was certified. The
 * signature is not checked here: `certificate check` does. The answer is the exit code. Throws TP-CERTIFICATE, TP-USAGE.
 */
export async function runAfterPromotion(options: PromotedOptions, io: SiteIo): Promise<number> {
  const { predicate } = await readStatement(options.certificate);
  const { identity, position } = predicate.candidate;
  if (identity === null || position === null || !isPosition(position)) {
    throw new TwinproofError('TP-CERTIFICATE', {
      message: `${options.certificate} does not say where its candidate stood`,
      hint: 'it must be one of a candidate that could be placed in the primary’s log',
    });
  }
  const { address, stream } = await promotedSite(options, io);
  const connectOptions = { jobs: 1, statementTimeoutMs: options.statementTimeoutMs };
  const connector = await io.connect(
    address,
    stream === null ? connectOptions : { ...connectOptions, stream },
    io.signal,
  );
  try {
    const site = ledgerSite(connector);
    const now = await site.identify(io.signal);
    const isSame = now.systemId === identity.systemId;
    const answer =
      identity.role === 'subscriber'
        ? await askRows(site, position, isSame, io)
        : await askTimelines(site, position, { isSame, role: now.role }, io);
    io.stdout(answerText(options, answer, position, io));
    return EXIT_OF[answer.outcome];
  } finally {
    await connector.close();
  }
}

/** The answer, its words, and what they rest on. */
interface PromotedAnswer {
  readonly outcome: PromotedOutcome;
  readonly words: string;
  /** For people, by name. */
  readonly facts: Readonly<Record<string, string>>;
  /** For programs. */
  readonly json: Readonly<Record<string, unknown>>;
}

async function askTimelines(
  site: LedgerConnector,
  certified: Position,
  { isSame, role }: { readonly isSame: boolean; readonly role: Identity['role'] },
  io: SiteIo,
): Promise<PromotedAnswer> {
  const forks = isSame ? await site.forks(io.signal) : [];
  const compare = (a: Position, b: Position): PositionOrder => site.comparePositions(a, b);
  const outcome = isSame ? judgeForks(certified, forks, role, compare) : 'other';
  const leftAt = forks.length === 0 ? 'it has left no timeline' : forks.join(', ');
  return { outcome, words: WORDS[outcome], facts: { 'left at': leftAt }, json: { forks } };
}

/** Throws TP-USAGE where the site leaves nothing to tell it by. */
async function askRows(
  site: LedgerConnector,
  certified: Position,
  isSame: boolean,
  io: SiteIo,
): Promise<PromotedAnswer> {
  if (site.succession === undefined) {
    throw new TwinproofError('TP-USAGE', {
      message:
        'the certificate is of a subscriber: its promotion leaves no trace in the primary’s log, and how far it had applied that goes with its subscription',
      hint: 'stop its subscription (ALTER SUBSCRIPTION … DISABLE) before it takes writes, and certify it then: nothing of the primary’s comes in after that. --after-promotion is for standbys, and for replicas of MySQL and MariaDB',
    });
  }
  const succession = await site.succession(certified, io.signal);
  const { position, own, why, following } = succession;
  const outcome = isSame ? judgeSuccession(succession) : 'other';
  return {
    outcome,
    words: why === null ? ROW_WORDS[outcome] : `${ROW_WORDS[outcome]}: ${why}`,
    facts: { now: position ?? 'not known', 'its own': own ?? 'it has written nothing itself' },
    json: { position, own, following },
  };
}

/** Pure. */
export function judgeSuccession({ following, order }: Succession): PromotedOutcome {
  if (order === null) return 'untold';
  if (order === 'after') return 'later';
  if (order !== 'equal') return 'other';
  return following ? 'not promoted' : 'certified';
}

/** Pure. `forks`: where the server left each timeline of its history. */
export function judgeForks(
  certified: Position,
  forks: readonly Position[],
  role: 'primary' | 'standby' | 'subscriber',
  compare: (a: Position, b: Position) => 'before' | 'equal' | 'after' | 'incomparable',
): PromotedOutcome {
  for (const fork of forks) {
    const order = compare(fork, certified);
    if (order === 'equal') return role === 'standby' ? 'not promoted' : 'certified';
    if (order === 'after') return 'later';
    if (order === 'before') return 'other';
  }
  // No fork on the certified timeline: it is still on it, or never was.
  return role === 'standby' ? 'not promoted' : 'other';
}

async function readStatement(file: string): Promise<Statement> {
  const { payload } = parseEnvelope(await readCertificateFile(file));
  try {
    return statementSchema.parse(JSON.parse(payload.toString('utf8')));
  } catch (error) {
    throw new TwinproofError('TP-CERTIFICATE', {
      message: `${file} is not a certificate of twinproof`,
      cause: error,
    });
  }
}

interface Promoted {
  readonly address: FoundSite['address'];
  readonly stream: NonNullable<FoundSite['site']>['stream'] | null;
}

async function promotedSite(options: PromotedOptions, io: SiteIo): Promise<Promoted> {
  const config = options.config === null ? null : await readConfig(options.config, io);
  const { address, site } = findSite(config, typedSite(options, config), 'candidate');
  return { address, stream: site?.stream ?? null };
}

function typedSite({ candidate, system }: PromotedOptions, config: Config | null): string {
  const named = config === null ? null : systemNamed(config, system);
  if (candidate !== null) {
    const known = named?.candidates.some(({ name }) => name === candidate) === true;
    return known ? `${named.name}/${candidate}` : candidate;
  }
  const [only, ...others] = named?.candidates ?? [];
  if (named !== null && only !== undefined && others.length === 0) return `${named.name}/${only.name}`;
  throw new TwinproofError('TP-USAGE', {
    message: 'which server was promoted was not said',
    hint: 'give --candidate URL, or --config and --candidate NAME',
  });
}

function answerText(
  { format }: PromotedOptions,
  { outcome, words, facts, json }: PromotedAnswer,
  certified: Position,
  io: SiteIo,
): string {
  if (format === 'json') {
    return `${terminalJson({ schema: 'twinproof.after-promotion/v1', outcome, certified, ...json }, 2)}\n`;
  }
  const page = new Page(io.screen);
  const icon = outcome === 'certified' ? 'same' : outcome === 'other' ? 'different' : 'unproven';
  page.paragraph(words, { first: `${page.paint(OUTCOME_STYLE[icon], page.icons[icon])} `, style: 'bold' });
  page.fact('certified', certified);
  for (const [name, text] of Object.entries(facts)) page.fact(name, text);
  page.fact('signature', 'not looked at here: `twinproof certificate check` does that');
  return page.toString();
}
