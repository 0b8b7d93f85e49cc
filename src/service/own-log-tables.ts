import type { SourceTable } from '../connector/ledger-sites.ts';
import type { CandidateSession } from './candidate-session.ts';
import { rootsSignature } from './candidate-tables.ts';
import { blindness } from './own-log-keys.ts';
import type { WatchLog } from './watch-log.ts';

const NAMED_MAX = 5;

/** Of which tables a candidate's own log tells, by its own catalog: of what it does not tell nothing is guarded. */
export class OwnLogTables {
  readonly #session: CandidateSession;
  readonly #name: string;
  readonly #log: WatchLog;
  /** As its own catalog had them, and the roots that were watched then; null: they are to be read. */
  #sources: { readonly tables: readonly SourceTable[]; readonly roots: string } | null = null;
  #isBlind = false;

  constructor(session: CandidateSession, name: string, log: WatchLog) {
    this.#session = session;
    this.#name = name;
    this.#log = log;
  }

  /** Of some of them its log did not tell: they are read again, for somebody may have mended it. */
  get isBlind(): boolean {
    return this.#isBlind;
  }

  /** They are to be read again. */
  forget(): void {
    this.#sources = null;
  }

  /**
   * Where they may be others than before. What somebody redefines there is another incarnation, or a gap in its log; what
   * replication brings is neither.
   */
  async read(signal: AbortSignal): Promise<void> {
    const { site, roots: watched, selection } = this.#session;
    const roots = rootsSignature(watched);
    if (this.#sources?.roots === roots && !this.#isBlind) return;
    this.#sources = { tables: await site.sourceTables(selection, 'logical', signal), roots };
  }

  /** Whether its log tells of every table that is followed of the primary's log, and which row was written; says if not. */
  tellsAll(): boolean {
    const sources = this.#sources;
    return sources?.roots === rootsSignature(this.#session.roots) && !this.#sayBlind(sources.tables);
  }

  #sayBlind(sources: readonly SourceTable[]): boolean {
    const about = { site: this.#name, event: 'own log tables' } as const;
    const blind = sources.flatMap((source) => {
      const relation = this.#session.roots.get(source.root)?.relations[0];
      const why = relation === undefined ? null : blindness(source, relation);
      return why === null ? [] : [`${source.leaf} (${why})`];
    });
    this.#isBlind = blind.length > 0;
    if (!this.#isBlind) {
      this.#log.over({ ...about, level: 'info', message: 'its own log tells of every table' });
      return false;
    }
    const more = blind.length > NAMED_MAX ? ` and ${blind.length - NAMED_MAX} more` : '';
    const message = `what others write to ${blind.slice(0, NAMED_MAX).join(', ')}${more} is not seen, so the candidate is not proven`;
    const hint =
      'they need the primary’s key there too; on PostgreSQL its own publication must have them: `twinproof preflight --sql` prints how';
    this.#log.state({ ...about, level: 'warn', message, hint });
    return true;
  }
}
