import { JsonError } from './json-error.ts';
import type { JsonKind, JsonReader } from './json-reader.ts';
import type { Layout } from './layout.ts';

const FIRST_COLUMNS = 64;
const NOWHERE = -1;

/** Where the values of a row stand in its record, by place of the column. */
export class ColumnPlaces {
  #from = new Int32Array(FIRST_COLUMNS);
  #to = new Int32Array(FIRST_COLUMNS);
  #escaped = new Uint8Array(FIRST_COLUMNS);
  #kinds: JsonKind[] = [];

  /** Walks over the object at `at`. @throws JsonError when its members are not those of the layout. */
  find(json: JsonReader, written: Layout['written'], bytes: Uint8Array, at: number): void {
    this.#clear(written.length);
    json.open(bytes, at);
    json.enter();
    let found = 0;
    for (let next = 0; json.member(); next += 1) {
      const expected = written[next];
      const column =
        expected !== undefined && json.isNamed(expected.name)
          ? expected
          : written.find(({ name }) => json.isNamed(name));
      if (column === undefined) throw new JsonError('a column that its definition does not have', json.at);
      const { place } = column;
      if (this.#from[place] !== NOWHERE) throw new JsonError('a column twice', json.at);
      found += 1;
      json.take();
      this.#from[place] = json.from;
      this.#to[place] = json.to;
      this.#kinds[place] = json.kind;
      this.#escaped[place] = json.escaped ? 1 : 0;
    }
    if (found !== written.length) throw new JsonError('a column of its definition is missing', at);
  }

  /** As if `json` had just taken that value. */
  recall(json: JsonReader, place: number): void {
    json.from = this.#from[place] ?? 0;
    json.to = this.#to[place] ?? 0;
    json.kind = this.#kinds[place] ?? 'null';
    json.escaped = this.#escaped[place] === 1;
  }

  #clear(columns: number): void {
    if (this.#from.length < columns) {
      this.#from = new Int32Array(columns * 2);
      this.#to = new Int32Array(columns * 2);
      this.#escaped = new Uint8Array(columns * 2);
    }
    this.#from.fill(NOWHERE, 0, columns);
  }
}
