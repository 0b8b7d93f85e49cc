import type { JsonKind, JsonReader } from './json-reader.ts';
import type { Layout } from './layout.ts';
import type { RecordScan } from './record-scan.ts';
import { MEMBER } from './scan-module.ts';

/** Kinds of values as scan.ts numbers them; `ESCAPED`: a string with escapes. */
const KINDS: readonly JsonKind[] = ['string', 'number', 'object', 'array', 'true', 'false', 'null'];
const ESCAPED = 8;
const NULL = 6;

/** As if `json` had just taken the value of a member. */
export function recallMember(
  scan: RecordScan,
  of: 'key' | 'before' | 'after' | 'source',
  member: number,
  json: JsonReader,
): void {
  const kind = scan.place(of, member, MEMBER.kind);
  json.from = scan.place(of, member, MEMBER.from);
  json.to = scan.place(of, member, MEMBER.to);
  json.kind = KINDS[kind & (ESCAPED - 1)] ?? 'null';
  json.escaped = kind >= ESCAPED;
}

/** Whether the value of a member of `source` is null. */
export function isNull(scan: RecordScan, member: number): boolean {
  return scan.place('source', member, MEMBER.kind) === NULL;
}

/** Where the values of a row or key stand in the record that was scanned last, by place of the column. */
export class ScannedColumns {
  readonly #scan: RecordScan;
  readonly #of: 'key' | 'before' | 'after';
  /** Whose names the last one had, in their order; null: nobody looked. */
  #written: Layout['written'] | null = null;
  /** Place of the column → number of the member. */
  #members: Int32Array = new Int32Array(0);

  constructor(scan: RecordScan, of: 'key' | 'before' | 'after') {
    this.#scan = scan;
    this.#of = of;
  }

  /** To be called after every scan. */
  scanned(): void {
    if (this.#scan.count(this.#of) >= 0 && !this.#scan.isSame(this.#of)) this.#written = null;
  }

  /** Whether it has exactly these members, in their order. */
  has(written: Layout['written'], json: JsonReader): boolean {
    if (this.#written === written) return true;
    const scan = this.#scan;
    if (scan.count(this.#of) !== written.length) return false;
    const members = new Int32Array(written.length);
    for (const [member, { name, place }] of written.entries()) {
      const from = scan.place(this.#of, member, MEMBER.nameFrom);
      if (!json.isAt(from, scan.place(this.#of, member, MEMBER.nameTo), name)) return false;
      members[place] = member;
    }
    this.#members = members;
    this.#written = written;
    return true;
  }

  /** As if `json` had just taken that value. Only after `has`. */
  recall(json: JsonReader, place: number): void {
    recallMember(this.#scan, this.#of, this.#members[place] ?? 0, json);
  }
}
