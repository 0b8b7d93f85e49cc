import { int32At } from '../../src/row/stream.ts';
import { JsonError } from './json-error.ts';
import type { JsonReader } from './json-reader.ts';
import type { Layout } from './layout.ts';

const ZERO = 0x30;

/** Whether a key (FoundRow.key) is what Debezium fills columns with that the log does not have: nothing but zeros. */
export function isBlank(key: Uint8Array): boolean {
  for (let at = 0; at < key.length;) {
    const end = at + 4 + Math.max(int32At(key, at), 0);
    for (at += 4; at < end; at += 1) if (key[at] !== 0 && key[at] !== ZERO) return false;
  }
  return true;
}

/**
 * Of a row that was deleted the log has its replica identity alone. Where that is another index than the key, the key is
 * blank, and `before` (at `at`) has something else (measured with 3.3.1). @throws JsonError
 */
export function demandOwnKey(json: JsonReader, layout: Layout, bytes: Uint8Array, at: number): void {
  json.open(bytes, at);
  json.enter();
  while (json.member()) {
    const isKey = layout.key?.some(({ name }) => json.isNamed(name)) === true;
    json.take();
    if (isKey || isFiller(json)) continue;
    throw new JsonError('a delete without its key (REPLICA IDENTITY is of another index, or FULL)', at);
  }
}

function isFiller({ kind, bytes, from, to }: JsonReader): boolean {
  if (kind === 'null' || kind === 'false') return true;
  if (kind === 'number') return to - from === 1 && bytes[from] === ZERO;
  return kind === 'string' && to === from;
}
