import { JsonError } from './json-error.ts';
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
  readonly #wholeRows: boolean;
  readonly #out = new RowWriter();

  /** `wholeRows`: the log has all values of every row (REPLICA IDENTITY FULL). */
  constructor(placeholder: Placeholder, wholeRows: boolean) {
    this.#placeholder = placeholder;
    this.#wholeRows = wholeRows;
  }

  key(json: JsonReader, layout: Layout, columns: FoundColumns): Uint8Array {
    const { length } = layout.key ?? [];
    this.#out.restart();
    for (let place = 0; place < length; place += 1) {
      this.#value(json, layout, columns, place, false);
      // No key of a table has one: the connector did not know which row it is.
      if (json.kind === 'null') throw new JsonError('a value of the key is null', json.from);
    }
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
    if (
      json.kind === 'null' &&
      reading.as === 'bytes' &&
      reading.hiding === true &&
      isUpdate &&
      !this.#wholeRows
    ) {
      this.#out.unread();
      return;
    }
    writeValue(json, reading, form, this.#placeholder, isUpdate, this.#out);
  }
}
