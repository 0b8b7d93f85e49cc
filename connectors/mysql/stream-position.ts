import type { Position } from '../../src/connector/position.ts';
import { TwinproofError } from '../../src/errors.ts';
import type { GroupStart, MysqlGtid } from './binlog-gtid.ts';
import { positionOfList, positionOfListText, positionOfSet, positionOfSetText } from './gtid.ts';
import { formatGtidList, type GtidList } from './gtid-list.ts';
import { formatGtidSet, type GtidSet, type Interval, isSubset, unite } from './gtid-set.ts';

/** Where a stream stands: everything that it began behind, and all that it brought since. */
export interface StreamPlace {
  readonly position: Position;
  /** Counts a transaction in. False: numbers go back, so that positions no longer tell what was brought. */
  add(gtid: GroupStart['gtid']): boolean;
}

/** Stands for the number that changes with every transaction. No server gives it (gtid-set.ts). */
const CHANGING = (1n << 63n) - 1n;

/** A set whose text is put together anew only when another source's transaction comes, or one out of order. */
export class SetPlace implements StreamPlace {
  #set: GtidSet;
  /** The source whose last interval grows, and the text around its last number. */
  #growing: {
    readonly source: string;
    last: bigint;
    digits: string;
    readonly before: readonly Interval[];
    readonly first: bigint;
    readonly head: string;
    readonly tail: string;
  } | null = null;

  constructor(after: GtidSet) {
    this.#set = after;
  }

  get position(): Position {
    const growing = this.#growing;
    if (growing === null) return positionOfSet(this.#set);
    return positionOfSetText(`${growing.head}${growing.digits}${growing.tail}`);
  }

  add(gtid: GroupStart['gtid']): boolean {
    if (gtid.kind !== 'mysql') throw new TwinproofError('TP-BUG', { message: 'a GTID of another server' });
    const growing = this.#growing;
    if (growing?.source === gtid.source && growing.last + 1n === gtid.number) {
      growing.last = gtid.number;
      growing.digits = gtid.digits;
      return true;
    }
    this.#settle();
    if (isSubset(new Map([[gtid.source, [[gtid.number, gtid.number]]]]), this.#set)) throw twice(gtid);
    this.#set = unite(this.#set, new Map([[gtid.source, [[gtid.number, gtid.number]]]]));
    this.#follow(gtid);
    return true;
  }

  #settle(): void {
    const growing = this.#growing;
    if (growing === null) return;
    const { source, before, first, last } = growing;
    this.#set = new Map([...this.#set, [source, [...before, [first, last]]]]);
    this.#growing = null;
  }

  /** From the next number on, where this one is the last of its source. */
  #follow({ source, number, digits }: MysqlGtid): void {
    const intervals = this.#set.get(source) ?? [];
    const last = intervals.at(-1);
    if (last === undefined || last[1] !== number || last[0] === number) return;
    const before = intervals.slice(0, -1);
    const text = formatGtidSet(new Map([...this.#set, [source, [...before, [last[0], CHANGING]]]]));
    const [head = '', tail = ''] = text.split(String(CHANGING));
    this.#growing = { source, last: number, digits, before, first: last[0], head, tail };
  }
}

/** A server sends nothing that it was told to be known (dumpByGtids). */
function twice({ source, digits }: MysqlGtid): TwinproofError {
  return new TwinproofError('TP-GAP', {
    message: `the log has transaction ${source}:${digits} twice: it was begun anew while it was read`,
    hint: 'what stood in it between may never have been read: a new baseline is taken',
  });
}

/** No sequence is as large. */
const CHANGING_SEQUENCE = 1n << 64n;

/** The last transaction of every domain; its text is put together anew only when another domain's or server's comes. */
export class ListPlace implements StreamPlace {
  readonly #list: Map<bigint, { readonly server: bigint; readonly sequence: bigint }>;
  /** The GTID that grows, which stands in #list with CHANGING_SEQUENCE, and the text around its sequence. */
  #growing: {
    readonly domain: bigint;
    readonly server: bigint;
    sequence: bigint;
    digits: string;
    readonly head: string;
    readonly tail: string;
  } | null = null;

  constructor(after: GtidList) {
    this.#list = new Map(after);
  }

  get position(): Position {
    const growing = this.#growing;
    if (growing === null) return positionOfList(this.#list);
    return positionOfListText(`${growing.head}${growing.digits}${growing.tail}`);
  }

  add(gtid: GroupStart['gtid']): boolean {
    if (gtid.kind !== 'mariadb') throw new TwinproofError('TP-BUG', { message: 'a GTID of another server' });
    const { domain, server, sequence, digits } = gtid;
    const growing = this.#growing;
    if (growing?.domain === domain && growing.server === server) {
      const rises = growing.sequence < sequence;
      growing.sequence = sequence;
      growing.digits = digits;
      return rises;
    }
    if (growing !== null) this.#list.set(growing.domain, growing);
    const known = this.#list.get(domain);
    this.#list.set(domain, { server, sequence: CHANGING_SEQUENCE });
    const text = formatGtidList(this.#list);
    const [head = '', tail = ''] = text.split(String(CHANGING_SEQUENCE));
    this.#growing = { domain, server, sequence, digits, head, tail };
    return known === undefined || known.sequence < sequence;
  }
}
