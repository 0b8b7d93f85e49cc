import type { Range, RowShape } from '../connector/contract.ts';
import { TwinproofError } from '../errors.ts';
import { checkKeys, checkRange, type CheckedKey } from '../ledger/candidate-check-keys.ts';
import { RELATION_BYTES, storedKey } from '../ledger/key.ts';
import { StateAt } from '../ledger/state.ts';
import type { AppliedAt, CandidateSession } from './candidate-session.ts';
import type { WatchedRoot } from './candidate-tables.ts';

const KEYS_PER_STEP = 4000;
const PIECE = { kind: 'block', rowsMax: 8192, bytesMax: 32 * 1024 * 1024 } as const;
/** Keys that stay unclear; with more of them the pass has shown nothing. */
const LEFT_MAX = 100_000;

/**
 * Proves a whole table whose keys the server orders otherwise than the ledger does: every row that the ledger has is read
 * by its key, and every row that the candidate has is looked up. What changes meanwhile is dirty, and looked at by itself;
 * so all of it holds as of what the candidate had applied when the pass began.
 */
export class FullPass {
  readonly table: WatchedRoot;
  readonly applied: AppliedAt;
  readonly startedAtMs: number;
  readonly #session: CandidateSession;
  readonly #shape: RowShape;
  readonly #left: CheckedKey[] = [];
  /** The leaf whose keys are read, and the key behind which to go on. */
  #leaf = 0;
  #after: Buffer | null = null;
  /** Null: the keys are not all read yet. */
  #pieces: Range[] | null = null;

  constructor(session: CandidateSession, table: WatchedRoot, shape: RowShape, applied: AppliedAt) {
    this.#session = session;
    this.#shape = shape;
    this.table = table;
    this.applied = applied;
    this.startedAtMs = session.timing.now();
  }

  get root(): string {
    return this.table.root;
  }

  /** Reads some more. At the end: the rows that are not equal. `failed`: nothing is shown; begin again later. */
  async step(signal: AbortSignal): Promise<'more' | 'failed' | readonly CheckedKey[]> {
    if (this.#left.length > LEFT_MAX) return 'failed';
    const ended = this.table.relations.some(({ endedAt }) => endedAt !== null);
    if (ended) return 'failed';
    if (this.#leaf < this.table.relations.length) {
      await this.#readKeys(signal);
      return 'more';
    }
    this.#pieces ??= [...(await this.#session.site.planRanges(this.#shape, PIECE, signal))];
    const piece = this.#pieces.pop();
    if (piece === undefined) return this.#left;
    return (await this.#readPiece(piece, this.#pieces, signal)) ? 'more' : 'failed';
  }

  async #readKeys(signal: AbortSignal): Promise<void> {
    const relation = this.table.relations[this.#leaf];
    if (relation === undefined) return;
    const { ledger } = this.#session.watched;
    const identities: Uint8Array[] = [];
    const state = new StateAt(ledger.core, relation, ledger.head());
    for (const { identity } of state.range(this.#after, null)) {
      identities.push(identity);
      if (identities.length >= KEYS_PER_STEP) break;
    }
    const last = identities.at(-1);
    if (identities.length < KEYS_PER_STEP || last === undefined) {
      this.#leaf++;
      this.#after = null;
    } else {
      const { stored } = storedKey(relation.number, last, relation.signed);
      this.#after = Buffer.concat([stored.subarray(RELATION_BYTES), Buffer.of(0)]);
    }
    const table = { root: this.root, shape: this.#shape };
    const checked = await checkKeys(ledger, this.#session.site, table, identities, signal);
    this.#session.pace.spent(identities.length);
    const suspects = checked.filter(({ judgement }) => judgement.kind !== 'clean');
    this.#left.push(...(await this.#session.confirm(this.table, this.#shape, suspects, signal)));
  }

  async #readPiece(piece: Range, pieces: Range[], signal: AbortSignal): Promise<boolean> {
    const { watched, site, pace } = this.#session;
    const table = { root: this.root, shape: this.#shape };
    let checked: Awaited<ReturnType<typeof checkRange>>;
    try {
      checked = await checkRange(watched.ledger, site, table, piece, null, signal);
    } catch (error) {
      if (!(error instanceof TwinproofError) || error.code !== 'TP-RANGE-TOO-LARGE') throw error;
      const parts = await site.splitRange(this.#shape, piece, signal);
      pieces.push(...parts);
      return parts.length > 0;
    }
    if (typeof checked === 'string' || checked.more) return false;
    pace.spent(checked.rows);
    this.#left.push(...(await this.#session.confirm(this.table, this.#shape, checked.suspects, signal)));
    return true;
  }
}
