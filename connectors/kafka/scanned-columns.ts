import type { JsonReader } from './json-reader.ts';
import type { Layout } from './layout.ts';
import type { RecordScan } from './record-scan.ts';

/** Where the values of a row or key stand in the record that was scanned last, by place of the column. */
export class ScannedColumns {
  readonly #scan: RecordScan;
  readonly #of: 'key' | 'before' | 'after';
  /** Whose names the last one had, in their order; null: nobody looked. */
  #written: Layout['written'] | null = null;
  /** Place of the column → where its member stands among the numbers of the scan. */
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
      const at = scan.member(this.#of, member);
      if (!scan.isNamed(at, name, json)) return false;
      members[place] = at;
    }
    this.#members = members;
    this.#written = written;
    return true;
  }

  /** As if `json` had just taken that value. Only after `has`. */
  recall(json: JsonReader, place: number): void {
    this.#scan.recall(this.#members[place] ?? 0, json);
  }
}
