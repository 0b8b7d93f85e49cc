import type { LedgerConfig, SystemConfig } from '../config/schema.ts';
import { Ledger } from '../ledger/ledger.ts';
import { ledgerOptions } from '../ledger/options.ts';
import { within } from '../service/together.ts';
import type { SiteIo } from './io.ts';
import type { Silences } from './silences.ts';

/** What how a system stands is found out with. */
export interface StateQuestion {
  readonly system: SystemConfig;
  readonly ledger: LedgerConfig | null;
  readonly statementTimeoutMs: number;
  readonly silences: Silences;
}

/** Runs a reading of a site, by its name, for as long as the site answers. Throws TP-TIMEOUT. */
export type OfSite = <T>(name: string, work: (io: SiteIo) => Promise<T>) => Promise<T>;

/** What was given up may need a moment until it has let go of the ledger; nobody waits for longer. */
const CLOSE_MS = 250;

/** Keeps the ledger open until a piece of work has ended that the caller may not wait for. */
type Lend = <T>(work: Promise<T>) => Promise<T>;

/** Runs `use` with the ledger as it is now. Throws TP-LEDGER-…, and what `use` throws. */
export async function withLedger<T>(
  { ledger: config, system }: StateQuestion,
  { now }: Pick<SiteIo, 'now'>,
  use: (ledger: Ledger, lend: Lend) => Promise<T>,
): Promise<T> {
  const unplaced = { source: null, comparePositions: () => 'incomparable' as const, now };
  const ledger = await Ledger.read(ledgerOptions(config, system.name, unplaced));
  const lent: Promise<unknown>[] = [];
  try {
    return await use(ledger, (work) => {
      lent.push(work);
      return work;
    });
  } finally {
    const closed = Promise.allSettled(lent).then(() => ledger.close());
    await within(closed, CLOSE_MS);
  }
}
