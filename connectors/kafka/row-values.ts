import type { JsonReader } from './json-reader.ts';
import type { Layout } from './layout.ts';
import { RowWriter } from './row-writer.ts';
import { type Placeholder, writeValue } from './values.ts';

/** Knows where the values of a row or key stand in its record. */
export interface FoundColumns {
  /** As if `json` had just taken the value of the column at `place`. */
  recall(json: JsonReader, place: number): void;
}

/**
 * Writes rows and keys of records, framed as in src/connector/changes.ts. @throws JsonError for values of other kinds.
 */
export class RowValues {
  readonly #placeholder: Placeholder;
  readonly #out = new RowWriter();

  constructor(placeholder: Placeholder) {
    this.#placeholder = placeholder;
  }

  key(json: JsonReader, layout: Layout, columns: FoundColumns): Uint8Array {
    const { length } = layout.key ?? [];
    this.#out.restart();
    for (let place = 0; place < length; place += 1) this.#value(json, layout, columns, place, false);
    return this.#out.take();
  }

  /** Only an update leaves a value as it was; in the insert of a changed key there is nothing that it was. */
  row(json: JsonReader, layout: Layout, columns: FoundColumns, isUpdate: boolean): Uint8Array {
    const { length } = layout.readings;
    this.#out.restart();
    this.#out.count(length);
    for (let place = 0; place < length; place += 1) this.#value(json, layout, columns, place, isUpdate);
    return this.#out.take();
  }

  #value(json: JsonReader, layout: Layout, columns: FoundColumns, place: number, isUpdate: boolean): void {
    const reading = layout.readings[place];
    const form = layout.table.columns[place]?.form;
    if (reading === undefined || reading === null || form === undefined || form === null) {
      this.#out.unread();
      return;
    }
    columns.recall(json, place);
    writeValue(json, reading, form, this.#placeholder, isUpdate, this.#out);
  }
}
