import { readCertificateFile } from '../certificate/chain.ts';
import { parseEnvelope } from '../certificate/envelope-parse.ts';
import { statementSchema } from '../certificate/statement-schema.ts';
import type { Statement } from '../certificate/statement.ts';
import type { Position } from '../connector/position.ts';
import { ledgerSite } from '../connector/ledger-sites.ts';
import { EXIT } from '../error-codes.ts';
import { TwinproofError } from '../errors.ts';
import { isPosition } from '../ledger/stored.ts';
import { Page } from '../report/page.ts';
import { terminalJson } from '../report/terminal-text.ts';
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
 * certificate says nothing. `not promoted`: it has not left that timeline. `other`: it is not what was certified.
 */
export type PromotedOutcome = 'certified' | 'later' | 'not promoted' | 'other';

const EXIT_OF: Readonly<Record<PromotedOutcome, number>> = {
  certified: EXIT.ok,
  later: EXIT.unknown,
  'not promoted': EXIT.unknown,
  other: EXIT.critical,
};

const WORDS: Readonly<Record<PromotedOutcome, string>> = {
  certified: 'it was promoted at the position that was certified',
  later: 'it was promoted behind the position that was certified: what it applied in between is not covered',
  'not promoted': 'it was not promoted: it has not left the timeline that was certified',
  other: 'IT IS NOT WHAT WAS CERTIFIED: it left that history before the certified position, or never had it',
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
  if (identity.role === 'subscriber') {
    throw new TwinproofError('TP-USAGE', {
      message: 'the certificate is of a subscriber: its promotion leaves no trace in the primary’s log',
      hint: 'certify it again before it takes writes; --after-promotion is for standbys',
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
    const forks = now.systemId === identity.systemId ? await site.forks(io.signal) : [];
    const compare = (a: Position, b: Position): ReturnType<typeof site.comparePositions> =>
      site.comparePositions(a, b);
    const outcome: PromotedOutcome =
      now.systemId === identity.systemId ? judgeForks(position, forks, now.role, compare) : 'other';
    io.stdout(answerText(options, outcome, position, forks, io));
    return EXIT_OF[outcome];
  } finally {
    await connector.close();
  }
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
  outcome: PromotedOutcome,
  certified: Position,
  forks: readonly Position[],
  io: SiteIo,
): string {
  if (format === 'json') {
    return `${terminalJson({ schema: 'twinproof.after-promotion/v1', outcome, certified, forks }, 2)}\n`;
  }
  const page = new Page(io.screen);
  const icon = outcome === 'certified' ? 'same' : outcome === 'other' ? 'different' : 'unproven';
  page.paragraph(WORDS[outcome], { first: `${page.icons[icon]} `, style: 'bold' });
  page.fact('certified', certified);
  page.fact('left at', forks.length === 0 ? 'it has left no timeline' : forks.join(', '));
  return page.toString();
}
