import type { Reason, VerifyResult } from '../compare/result.ts';
import type { Connector } from '../connector/contract.ts';
import type { Identity } from '../connector/identity.ts';
import { TwinproofError } from '../errors.ts';

/**
 * The result of a comparison that could not begin because of what the two sites are to one another (a candidate that
 * was promoted, a stranger): nothing is proven, and the reason says why. A verdict is wanted then more than ever.
 * Errors of any other kind are thrown again.
 */
export async function refusedResult(
  error: unknown,
  primary: Connector,
  candidate: Connector,
  at: Date,
  signal: AbortSignal,
): Promise<VerifyResult> {
  if (!(error instanceof TwinproofError) || !REFUSALS.has(error.code)) throw error;
  const why: Reason = {
    code: error.code,
    severity: 'warn',
    subject: 'sites',
    message: error.message,
    hint: error.hint,
  };
  const identities = await Promise.all([identityOf(primary, signal), identityOf(candidate, signal)]);
  const [ours, theirs] = identities;
  return {
    outcome: 'unproven',
    pair: pairOf(primary, candidate, ours, theirs),
    startedAt: at,
    finishedAt: at,
    primary: { engine: primary.engine, identity: ours, position: null, headBefore: null },
    candidate: { engine: candidate.engine, identity: theirs, position: null },
    coverage: { tables: 0, compared: 0, excluded: [] },
    tables: [],
    reasons: [why],
    resumed: null,
    bytesRead: 0n,
  };
}

/** What the pair would be if it were one. */
function pairOf(
  primary: Connector,
  candidate: Connector,
  ours: Identity | null,
  theirs: Identity | null,
): VerifyResult['pair'] {
  if (primary.engine !== candidate.engine) return 'cross-engine';
  return ours?.systemId === theirs?.systemId ? 'physical' : 'logical';
}

const REFUSALS: ReadonlySet<string> = new Set(['TP-ROLES', 'TP-UNRELATED', 'TP-SAME-SERVER', 'TP-NAMES']);

async function identityOf(site: Connector, signal: AbortSignal): Promise<Identity | null> {
  try {
    return await site.identify(signal);
  } catch (error) {
    if (error instanceof TwinproofError) return null;
    throw error;
  }
}
