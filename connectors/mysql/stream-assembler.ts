import type { RowChange, StreamedTable } from '../../src/connector/changes.ts';
import { TwinproofError } from '../../src/errors.ts';
import { inflated, inflatedRows, isCompressedRows } from './binlog-compressed.ts';
import { beginsRun, EVENT, EventReader, HEADER_BYTES, logError, type LogEvent } from './binlog-event.ts';
import { GtidReader, type GroupStart } from './binlog-gtid.ts';
import { isBegin, readQuery } from './binlog-query.ts';
import { LogFile, type LogMark, markOf, type PlacedTransaction } from './log-mark.ts';
import type { ReadLog } from './log-stands.ts';
import { CascadeGaps } from './stream-cascade-gaps.ts';
import { Group, type GroupParts } from './stream-group.ts';
import type { LogMemory } from './stream-memory.ts';
import { isRows, RowsReader } from './stream-rows.ts';
import { StatementReader } from './stream-statements.ts';
import { TableMaps, type TableResolver } from './stream-table-maps.ts';

/** StreamCatalog, as far as it is needed here. */
export interface TableLookup extends TableResolver {
  readonly database: string;
  storedName(written: string): string | null;
  current(leaf: string): Promise<{ readonly table: StreamedTable; readonly known: boolean } | null>;
  forget(leaves: readonly string[] | null): void;
  withBelow(leaves: readonly string[]): Promise<readonly string[]>;
}

export interface AssemblerParts extends GroupParts {
  readonly catalog: TableLookup;
  /** MySQL says of an event whether rows of other tables that follow from it are in the log. */
  readonly tellsCascades: boolean;
  readonly memory: LogMemory;
  /** Throws TP-GAP where what was read does not stand there any more. */
  readonly stands: (read: ReadLog) => Promise<void>;
}

/** Say nothing about rows. */
const SILENT: ReadonlySet<number> = new Set([
  EVENT.stop,
  EVENT.intvar,
  EVENT.rand,
  EVENT.userVar,
  EVENT.appendBlock,
  EVENT.deleteFile,
  EVENT.beginLoadQuery,
  EVENT.ignorable,
  EVENT.rowsQuery,
  EVENT.previousGtids,
  EVENT.transactionContext,
  EVENT.viewChange,
  EVENT.annotateRows,
  EVENT.binlogCheckpoint,
  EVENT.gtidList,
  EVENT.startEncryption,
]);

/** Makes changes of events of the log. What goes out is committed, and in the order of the commits. */
export class LogAssembler {
  readonly #parts: AssemblerParts;
  readonly #events = new EventReader();
  readonly #gtids = new GtidReader();
  readonly #rows = new RowsReader();
  readonly #statements: StatementReader;
  readonly #cascades: CascadeGaps;
  readonly #maps: TableMaps;
  #group: Group | null = null;
  /** Where the open transaction begins, for LogMemory.torn: its file, and the place behind its first event. */
  #groupFile = '';
  #groupBegun: number | null = null;
  #groupAt = 0;
  /** The open transaction, and the last one that was handed out. */
  #placed: PlacedTransaction | null = null;
  #last: PlacedTransaction | null = null;
  readonly #file = new LogFile();
  /** What is to be told of every change of the event. */
  #follow: ((change: RowChange) => void) | null = null;
  readonly #give = (change: RowChange): void => {
    this.#follow?.(change);
    this.#open().change(change);
  };
  /** Within a transaction that is known to be cut off. */
  #skipping = false;

  constructor(parts: AssemblerParts) {
    this.#parts = parts;
    this.#maps = new TableMaps(parts.catalog);
    this.#statements = new StatementReader(parts, () => this.#maps.clear());
    this.#cascades = new CascadeGaps(parts);
  }

  /** Of everything that was handed out; null: nothing can be said yet. */
  mark(): LogMark | null {
    return markOf(this.#file, this.#last, this.#parts.place.position);
  }

  /**
   * One event, which stands in `bytes` from `from` up to `to`. Wait for a promise. Throws TP-STREAM-PROTOCOL,
   * TP-STREAM-SETUP, and what the catalog throws.
   */
  take(bytes: Uint8Array, from = 0, to = bytes.length): Promise<void> | null {
    const event = this.#events.read(bytes, from, to);
    switch (event.type) {
      case EVENT.rotate:
        return this.#rotate(event);
      case EVENT.formatDescription:
        this.#beginFile(event);
        return null;
      case EVENT.heartbeat:
      case EVENT.heartbeatV2:
        this.#file.reach(event);
        return this.#rest();
      default:
        return this.#skipping ? null : this.#logged(event);
    }
  }

  /** There is nothing new; or what comes is no more in the file that is read. */
  async #rest(): Promise<void> {
    await this.#parts.stands(this.read());
    if (this.#group !== null || this.#skipping) return;
    this.#parts.batch.push({ type: 'idle', position: this.#parts.place.position });
  }

  #rotate(event: LogEvent): Promise<void> | null {
    const read = this.read();
    this.#file.rotate(event);
    return read.file === '' || read.file === this.#file.name ? null : this.#parts.stands(read);
  }

  /** What was read so far. */
  read(): ReadLog {
    const { name: file, reached } = this.#file;
    const placed = this.#placed?.file === file ? this.#placed : null;
    const end = placed === null ? 0 : placed.at + placed.to - placed.from;
    return { file, reached: Math.max(reached, end), position: this.#parts.place.position };
  }

  #logged(event: LogEvent): Promise<void> | null {
    switch (event.type) {
      case EVENT.gtid:
      case EVENT.gtidTagged:
      case EVENT.mariadbGtid:
        return this.#begin(this.#gtids.read(event), event);
      case EVENT.anonymousGtid:
        throw new TwinproofError('TP-STREAM-SETUP', {
          message: 'the log has transactions without a GTID',
          hint: 'set gtid_mode=ON on the server, then take a new baseline',
        });
      case EVENT.xid:
        this.#end();
        return null;
      case EVENT.query:
        if (!isBegin(event)) return this.#statement(event);
        this.#open().inTransaction = true;
        return null;
      case EVENT.queryCompressed:
        return this.#statement(event);
      case EVENT.tableMap:
        return this.#maps.isKnown(event) ? null : this.#describe(event);
      case EVENT.xaPrepare:
        this.#prepare(event);
        return null;
      default:
        this.#change(event);
        return null;
    }
  }

  #change(event: LogEvent): void {
    if (isRows(event.type)) {
      this.#rowsEvent(this.#open(), event);
      return;
    }
    if (SILENT.has(event.type)) return;
    const group = this.#open();
    if (isCompressedRows(event.type)) this.#rowsEvent(group, inflatedRows(event));
    else if (event.type === EVENT.partialUpdateRows) {
      const leaf = this.#maps.of(event)?.entry?.table.leaf;
      if (leaf !== undefined)
        group.gap('the log holds parts of JSON values (binlog_row_value_options)', [leaf]);
    } else if (event.type === EVENT.transactionPayload) {
      group.gap('the log holds a compressed transaction (binlog_transaction_compression)', null);
      this.#end();
    } else if (event.type === EVENT.incident || event.type === EVENT.partialRowData) {
      const incident = event.type === EVENT.incident;
      group.gap(
        incident ? 'the server reports that its log lacks events' : 'the log holds rows in fragments',
        null,
      );
      if (!group.inTransaction) this.#end();
    } else if (event.type === EVENT.executeLoadQuery) {
      group.gap('the log holds LOAD DATA in place of its rows', null);
      if (!group.inTransaction) this.#end();
    } else if (!event.ignorable) {
      throw logError(`an event of the unknown type ${event.type}`);
    }
  }

  #begin(start: GroupStart, event: LogEvent): null {
    if (this.#group !== null) throw logError('a transaction begins within another');
    this.#groupFile = this.#file.name;
    this.#groupBegun = this.#file.begun;
    this.#groupAt = event.next;
    const { torn } = this.#parts.memory;
    this.#skipping = torn.size > 0 && torn.has(this.#groupPlace());
    if (this.#skipping) return null;
    this.#maps.bound();
    this.#placed = this.#file.place(event);
    this.#group = new Group(start, this.#parts);
    if (start.prepares !== null) {
      this.#group.xid = start.prepares;
      this.#parts.prepared.begin(start.prepares);
    }
    return null;
  }

  #groupPlace(): string {
    return `${this.#groupFile}:${this.#groupBegun}:${this.#groupAt}`;
  }

  #open(): Group {
    if (this.#group === null) throw logError('a change outside of a transaction');
    return this.#group;
  }

  #end(): void {
    this.#open().end();
    this.#group = null;
    this.#last = this.#placed;
  }

  /** XA_PREPARE_LOG_EVENT begins with whether the transaction is committed at once (1 byte). */
  #prepare({ bytes }: LogEvent): void {
    const group = this.#open();
    const { xid } = group;
    group.xid = null;
    if (xid !== null && bytes[HEADER_BYTES] === 1) group.release(xid);
    this.#end();
  }

  async #statement(event: LogEvent): Promise<void> {
    const group = this.#open();
    const statement = readQuery(event, event.type === EVENT.queryCompressed ? inflated : null);
    const ends = await this.#statements.take(statement, group);
    if (ends || !group.inTransaction) this.#end();
  }

  async #describe(event: LogEvent): Promise<void> {
    const table = await this.#maps.describe(event);
    if (table === null || table.known) return;
    // Within a transaction that is only prepared it stands by itself.
    const definition = { type: 'definition', table: table.table } as const;
    const group = this.#open();
    if (group.xid === null) group.push(definition);
    else this.#parts.batch.push(definition);
  }

  #rowsEvent(group: Group, event: LogEvent): void {
    const mapped = this.#maps.of(event);
    if (mapped === null) return;
    const { entry, cascades } = mapped;
    this.#follow = this.#cascades.of(event, entry, cascades, group);
    if (entry !== null) this.#rows.read(event, entry, this.#parts.batch.arena, this.#give);
  }

  /**
   * A server that was started anew goes on in a new file. A transaction whose end the old one lacks was cut off by a
   * crash, and never committed; what was handed out of it is taken back by ending the stream: the next one passes over
   * it.
   */
  #beginFile(event: LogEvent): void {
    this.#file.begun = event.timestamp;
    if (!beginsRun(event)) return;
    this.#skipping = false;
    const group = this.#group;
    if (group === null) return;
    this.#group = null;
    if (group.xid !== null) this.#parts.prepared.take(group.xid);
    if (!group.begun) return;
    this.#parts.memory.torn.add(this.#groupPlace());
    throw new TwinproofError('TP-CONNECTION-LOST', {
      message: `a crash of the server cut off transaction ${group.start.id} in its log: the stream begins again without it`,
      retryable: true,
    });
  }
}
