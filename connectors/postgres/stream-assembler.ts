import type { BeginEvent } from '../../src/connector/changes.ts';
import type { Position } from '../../src/connector/position.ts';
import { TwinproofError } from '../../src/errors.ts';
import type { EventBatch } from '../../src/row/event-batch.ts';
import { formatLsn, type Lsn } from './lsn.ts';
import { protocolError } from './pgoutput-cursor.ts';
import { decodeMessage } from './pgoutput-decode.ts';
import type { PgOutputMessage, RelationMessage, StreamCommitMessage } from './pgoutput-messages.ts';
import type { Resolved } from './stream-catalog.ts';
import { changeEvents } from './stream-changes.ts';
import type { RetoldHistory } from './stream-history.ts';
import type { Spool, SpooledTransaction } from './stream-spool.ts';
import type { TableEntry } from './stream-table.ts';

/** A transaction that was set aside and is committed now: to be replayed before the next message is taken. */
export interface Replay {
  readonly pieces: AsyncGenerator<readonly Uint8Array[]>;
  /** One message of it. Wait for a promise. */
  take(payload: Uint8Array): Promise<void> | null;
  /** After the last one. */
  end(): Promise<void>;
}

export interface AssemblerParts {
  readonly batch: EventBatch;
  readonly spool: Spool;
  readonly resolve: (relation: RelationMessage) => Promise<Resolved>;
  readonly positionOf: (lsn: Lsn) => Position;
  /** What was handed out by an earlier stream, and is not to be handed out again; null: nothing comes again. */
  readonly history: RetoldHistory | null;
}

/** The transaction whose changes are being handed out. */
interface Open {
  readonly id: string;
  readonly committedAtUs: bigint;
  origin: BeginEvent['origin'];
  begun: boolean;
  /** An earlier stream handed it out. */
  readonly isRetold: boolean;
  /** Of a transaction that is retold: it changed something. */
  changed: boolean;
}

interface Streamed {
  readonly store: SpooledTransaction;
  /** Subtransactions that were rolled back. */
  readonly aborted: Set<number>;
}

/**
 * Makes events of messages. Those of a transaction that is streamed while it is open are set aside until it is
 * committed; so what goes out is committed, whole, and in the order of the commits.
 */
export class TransactionAssembler {
  readonly #parts: AssemblerParts;
  readonly #entries = new Map<number, TableEntry>();
  readonly #streamed = new Map<number, Streamed>();
  #open: Open | null = null;
  /** The transaction of which a piece is coming in. */
  #piece: { readonly xid: number; readonly streamed: Streamed } | null = null;

  constructor(parts: AssemblerParts) {
    this.#parts = parts;
  }

  /** Between transactions, so that a keep-alive's position says that all before it was handed out. */
  get idle(): boolean {
    return this.#open === null && this.#piece === null;
  }

  /** One message of pgoutput, which begins at `from` of `bytes`. Throws TP-STREAM-PROTOCOL, TP-SPOOL-FULL, and what `resolve` throws. */
  take(bytes: Uint8Array, from: number): Promise<void> | Replay | null {
    const message = decodeMessage(bytes, this.#piece !== null, from);
    if (this.#piece !== null && message.kind !== 'stream stop') {
      return this.#setAside(this.#piece, message, bytes.subarray(from));
    }
    switch (message.kind) {
      case 'begin':
        this.#begin(message, message.finalLsn);
        return null;
      case 'commit':
        this.#commit(message.endLsn);
        return null;
      case 'stream start':
        this.#startPiece(message.xid, message.first);
        return null;
      case 'stream stop':
        if (this.#piece === null) throw protocolError('a piece of a transaction ends that never began');
        this.#piece = null;
        return null;
      case 'stream abort':
        return this.#abort(message.xid, message.subxid);
      case 'stream commit':
        return this.#replay(message);
      default:
        return this.#change(message);
    }
  }

  async close(): Promise<void> {
    for (const { store } of this.#streamed.values()) await store.discard();
    this.#streamed.clear();
  }

  /** Everything before this position has come. */
  passed(lsn: Lsn): void {
    const { history } = this.#parts;
    if (history?.isRetold(lsn) === false) history.over();
  }

  #begin({ xid, committedAtUs }: { xid: number; committedAtUs: bigint }, commit: Lsn): void {
    if (this.#open !== null) throw protocolError('a transaction begins within another');
    this.passed(commit);
    const isRetold = this.#parts.history?.isRetold(commit) === true;
    this.#open = { id: String(xid), committedAtUs, origin: null, begun: false, isRetold, changed: false };
  }

  /** The first thing that follows `begin`, its origin apart, makes the event. */
  #announce(): void {
    const open = this.#open;
    if (open === null || open.begun || open.isRetold) return;
    open.begun = true;
    const { id, committedAtUs, origin } = open;
    this.#parts.batch.push({ type: 'begin', id, committedAtUs, origin });
  }

  #commit(endLsn: Lsn): void {
    const open = this.#open;
    if (open === null) throw protocolError('a transaction ends that never began');
    this.#open = null;
    const { id, committedAtUs } = open;
    if (open.isRetold) {
      if (open.changed) this.#parts.history?.told(open, endLsn);
      return;
    }
    const position = this.#parts.positionOf(endLsn);
    // Version 14 sends transactions of which nothing is published, empty.
    if (open.begun) this.#parts.batch.push({ type: 'commit', position, id, committedAtUs });
    else this.#parts.batch.push({ type: 'idle', position });
  }

  #startPiece(xid: number, first: boolean): void {
    if (this.#open !== null) throw protocolError('a piece of a transaction within another transaction');
    let streamed = this.#streamed.get(xid);
    if (first !== (streamed === undefined))
      throw protocolError(`a piece of transaction ${xid} is out of order`);
    streamed ??= { store: this.#parts.spool.transaction(), aborted: new Set() };
    this.#streamed.set(xid, streamed);
    this.#piece = { xid, streamed };
  }

  #setAside(
    { streamed }: { readonly streamed: Streamed },
    message: PgOutputMessage,
    payload: Uint8Array,
  ): Promise<void> | null {
    switch (message.kind) {
      case 'insert':
      case 'update':
      case 'delete':
      case 'truncate':
      case 'relation':
      case 'origin':
        return streamed.store.append(payload);
      case 'message':
        if (message.transactional) return streamed.store.append(payload);
        return this.#change(message);
      case 'type':
        return null;
      default:
        throw protocolError(`a message "${message.kind}" within a piece of a transaction`);
    }
  }

  async #abort(xid: number, subxid: number): Promise<void> {
    const streamed = this.#streamed.get(xid);
    // Nothing of it was sent: the server says so all the same.
    if (streamed === undefined) return;
    if (xid !== subxid) {
      streamed.aborted.add(subxid);
      return;
    }
    this.#streamed.delete(xid);
    await streamed.store.discard();
  }

  #replay(commit: StreamCommitMessage): Replay {
    const streamed = this.#streamed.get(commit.xid);
    if (streamed === undefined) throw protocolError(`transaction ${commit.xid} ends that never began`);
    this.#begin(commit, commit.commitLsn);
    return {
      pieces: streamed.store.read(),
      take: (payload) => {
        const message = decodeMessage(payload, true);
        return isAborted(message, streamed.aborted) ? null : this.#change(message);
      },
      end: async () => {
        this.#commit(commit.endLsn);
        this.#streamed.delete(commit.xid);
        await streamed.store.discard();
      },
    };
  }

  /** A message of the open transaction, or between two. */
  #change(message: PgOutputMessage): Promise<void> | null {
    switch (message.kind) {
      case 'origin':
        if (this.#open === null) throw protocolError('an origin outside of a transaction');
        this.#open.origin = { name: message.name, position: formatLsn(message.lsn) };
        return null;
      case 'relation':
        return this.#describe(message);
      case 'insert':
      case 'update':
      case 'delete':
      case 'truncate':
        if (this.#open === null) throw protocolError('a change outside of a transaction');
        if (this.#open.isRetold) {
          this.#open.changed = true;
          return null;
        }
        this.#announce();
        for (const event of changeEvents(message, this.#entries, this.#parts.batch.arena)) {
          this.#parts.batch.push(event);
        }
        return null;
      case 'message': {
        const { transactional, prefix, lsn } = message;
        if (transactional && this.#open?.isRetold === true) return null;
        if (transactional) this.#announce();
        const content = new Uint8Array(message.content);
        const position = this.#parts.positionOf(lsn);
        this.#parts.batch.push({ type: 'message', transactional, prefix, content, position });
        return null;
      }
      case 'type':
        return null;
      default:
        throw new TwinproofError('TP-STREAM-SETUP', {
          message: `the slot sends prepared transactions ("${message.kind}"), which were not asked for`,
          hint: 'drop the slot and create it without two_phase',
        });
    }
  }

  async #describe(relation: RelationMessage): Promise<void> {
    const resolved = await this.#parts.resolve(relation);
    this.#entries.set(relation.oid, resolved);
    if (resolved.known) return;
    this.#announce();
    this.#parts.batch.push({ type: 'definition', table: resolved.table });
  }
}

/**
 * Descriptions count even from a subtransaction that was rolled back: the server believes that we have them, and sends
 * a new one when the rollback changed the table.
 */
function isAborted(message: PgOutputMessage, aborted: ReadonlySet<number>): boolean {
  if (aborted.size === 0 || message.kind === 'relation') return false;
  return 'xid' in message && message.xid !== null && aborted.has(message.xid);
}
