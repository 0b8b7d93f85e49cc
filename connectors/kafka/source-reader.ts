import { JsonError } from './json-error.ts';
import type { JsonReader } from './json-reader.ts';
import type { SourceValues } from './record-source.ts';
import { SourceMember } from './source-member.ts';

/** Positions of members of a block that are told in advance. */
const EXPECTED_MAX = 64;

/** Walks over blocks `source`. Remembers what the last one said. */
export class SourceReader {
  /** Where the block begins that was walked over last. */
  at = 0;
  readonly #members = new Map<string, SourceMember>();
  /** In the order in which the last block had them. */
  readonly #expected: SourceMember[] = [];
  readonly values = {
    connector: this.#member('connector', true),
    name: this.#member('name', true),
    table: this.#member('table', true),
    schema: this.#member('schema', true),
    db: this.#member('db', true),
    snapshot: this.#member('snapshot', true),
    txId: this.#member('txId', true),
    gtid: this.#member('gtid', true),
    ts_us: this.#member('ts_us', true),
    ts_ms: this.#member('ts_ms', true),
    sequence: this.#member('sequence', true),
    lsn: this.#member('lsn', true),
    file: this.#member('file', true),
    pos: this.#member('pos', true),
    row: this.#member('row', true),
  } satisfies SourceValues;

  /** Goes over the block at which `json` stands. @throws JsonError */
  walk(json: JsonReader): void {
    this.at = json.at;
    const expected = this.#expected;
    for (const member of expected) member.seen = false;
    json.enter();
    for (let place = 0; ; place += 1) {
      const next = expected[place];
      if (next !== undefined && json.passes(next.written)) {
        next.passed();
        continue;
      }
      const begin = json.at;
      if (!json.member()) return;
      const member = next !== undefined && json.isNamed(next.name) ? next : this.#member(json.name());
      if (place >= EXPECTED_MAX) throw new JsonError('too many members in `source`', begin);
      expected[place] = member;
      json.take();
      member.take(json, begin);
    }
  }

  #member(name: string, isWanted = false): SourceMember {
    const known = this.#members.get(name);
    if (known !== undefined) return known;
    const made = new SourceMember(Buffer.from(name, 'utf8'), isWanted);
    if (this.#members.size < EXPECTED_MAX * 2) this.#members.set(name, made);
    return made;
  }
}
