/** What was handed out is let go together. */
const REST_MAX = 1024;

/** Records of one partition that wait, and their bytes. Never empty when it is made. */
export class RecordQueue<T extends { readonly bytes: number }> {
  readonly #items: T[];
  #from = 0;
  #bytes: number;

  constructor(first: T) {
    this.#items = [first];
    this.#bytes = first.bytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get head(): T | undefined {
    return this.#items[this.#from];
  }

  get last(): T | undefined {
    return this.#items.at(-1);
  }

  push(record: T): void {
    this.#items.push(record);
    this.#bytes += record.bytes;
  }

  /** Takes the head away; how many are left. */
  leave(): number {
    this.#bytes -= this.head?.bytes ?? 0;
    this.#from += 1;
    const left = this.#items.length - this.#from;
    if (left === 0 || this.#from >= REST_MAX) {
      this.#items.splice(0, this.#from);
      this.#from = 0;
    }
    return left;
  }
}
