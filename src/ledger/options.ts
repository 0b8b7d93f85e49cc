import path from 'node:path';
import type { LedgerConfig } from '../config/schema.ts';
import { TwinproofError } from '../errors.ts';
import type { LedgerOptions } from './ledger.ts';

const US_PER_MS = 1000n;
/** Longer ago and larger than anything: the window has no end. */
const EVER_US = 2n ** 62n;

/** What the configuration does not say: it comes from the primary's connector, or is not known when it is gone. */
export type LedgerContext = Pick<LedgerOptions, 'source' | 'comparePositions' | 'now' | 'signedKey'>;

/**
 * Where the ledger of a system is and how much of it is kept: one folder a system, by its name, below `ledger.path`.
 * Throws TP-CONFIG where the configuration has no ledger, or the name of the system can be no folder's.
 */
export function ledgerOptions(
  config: LedgerConfig | null,
  system: string,
  context: LedgerContext,
): LedgerOptions {
  if (config === null) {
    throw new TwinproofError('TP-CONFIG', {
      message: 'the configuration names no ledger',
      hint: 'add `ledger: { path: … }`: a folder away from the primary’s site',
    });
  }
  if (system === '.' || system === '..' || system.includes('/') || system.includes('\\')) {
    throw new TwinproofError('TP-CONFIG', { message: 'this system’s name cannot name a folder' });
  }
  const { time, size } = config.retention;
  return {
    ...context,
    folder: path.join(config.path, system),
    system,
    digest: 'xxh64',
    retention: {
      timeUs: time === null ? EVER_US : BigInt(Math.ceil(time)) * US_PER_MS,
      bytes: size ?? Number.POSITIVE_INFINITY,
    },
  };
}
