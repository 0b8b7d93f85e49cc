import type { JsonReader } from './json-reader.ts';
import type { RecordScan } from './record-scan.ts';
import { MEMBER } from './scan-module.ts';
import type { SourceName, SourceValue, SourceValues } from './record-source.ts';
import { digitsOf } from './source-member.ts';

const UNREAD = -2;
const MISSING = -1;
const NULL = 6;

/** A member of `source` in the record that was scanned last. What it said is kept while it stays the same. */
class ScannedMember implements SourceValue {
  readonly name: Uint8Array;
  readonly #scan: RecordScan;
  /** Where it stands among the numbers of the scan; −1: it is missing. */
  #at = MISSING;
  /** Undefined: it was not read. */
  #text: string | null | undefined = null;
  #whole = UNREAD;

  constructor(name: string, scan: RecordScan) {
    this.name = Buffer.from(name, 'utf8');
    this.#scan = scan;
  }

  /** It stands there now (−1: it is missing), or what stands there says something else. */
  becomes(at: number): void {
    this.#at = at;
    this.#text = undefined;
    this.#whole = UNREAD;
  }

  /** Null: it is missing, or null. */
  text(json: JsonReader): string | null {
    if (this.#text !== undefined) return this.#text;
    this.#text = this.#recall(json) ? json.text() : null;
    return this.#text;
  }

  /** Its digits as a number; −1: they are none, or more than a number can hold. */
  whole(json: JsonReader): number {
    if (this.#whole === UNREAD) {
      this.#whole = this.#recall(json) ? digitsOf(json.bytes, json.from, json.to) : -1;
    }
    return this.#whole;
  }

  /** Neither missing nor null. */
  get isThere(): boolean {
    return this.#at !== MISSING && this.#scan.numbers[this.#at + MEMBER.kind] !== NULL;
  }

  /** Where its value stands; −1: it is missing. */
  get from(): number {
    return this.#place(MEMBER.from);
  }

  get to(): number {
    return this.#place(MEMBER.to);
  }

  #place(which: number): number {
    return this.#at === MISSING ? -1 : (this.#scan.numbers[this.#at + which] ?? 0) - this.#scan.shift;
  }

  /** False: it is missing, or null. */
  #recall(json: JsonReader): boolean {
    if (!this.isThere) return false;
    this.#scan.recall(this.#at, json);
    return true;
  }
}

/** The members of `source` that are asked for, in the record that was scanned last. */
export class ScannedSource {
  readonly values: SourceValues;
  readonly #scan: RecordScan;
  readonly #wanted: readonly ScannedMember[];
  /** By their numbers; undefined: nobody asks for it. */
  #members: (ScannedMember | undefined)[] = [];
  #isOnce = true;

  constructor(scan: RecordScan) {
    const member = (name: SourceName): ScannedMember => new ScannedMember(name, scan);
    const values = {
      connector: member('connector'),
      name: member('name'),
      table: member('table'),
      schema: member('schema'),
      db: member('db'),
      snapshot: member('snapshot'),
      txId: member('txId'),
      gtid: member('gtid'),
      ts_us: member('ts_us'),
      ts_ms: member('ts_ms'),
      sequence: member('sequence'),
      lsn: member('lsn'),
      file: member('file'),
      pos: member('pos'),
      row: member('row'),
    } satisfies SourceValues;
    this.#scan = scan;
    this.values = values;
    this.#wanted = Object.values(values);
  }

  /** To be called after every scan, with its record in `json`. False: a member stands there twice. */
  scanned(json: JsonReader): boolean {
    const scan = this.#scan;
    if (!scan.isSame('source')) this.#isOnce = this.#find(json);
    else this.#update(scan.changedInSource);
    return this.#isOnce;
  }

  #update(changes: number): void {
    for (let changed = changes; changed !== 0; changed &= changed - 1) {
      const member = 31 - Math.clz32(changed & -changed);
      this.#members[member]?.becomes(this.#scan.member('source', member));
    }
  }

  /** Finds them by their names. False: one stands there twice. */
  #find(json: JsonReader): boolean {
    const scan = this.#scan;
    const count = scan.count('source');
    this.#members = [];
    for (const wanted of this.#wanted) wanted.becomes(MISSING);
    let isOnce = true;
    for (let member = 0; member < count; member += 1) {
      const at = scan.member('source', member);
      const found = this.#wanted.find(({ name }) => scan.isNamed(at, name, json));
      this.#members.push(found);
      if (found === undefined) continue;
      if (this.#members.indexOf(found) < member) isOnce = false;
      found.becomes(at);
    }
    return isOnce;
  }
}
