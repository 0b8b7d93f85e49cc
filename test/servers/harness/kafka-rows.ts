import type { TopicTable } from '../../../connectors/kafka/layout.ts';
import { UNCHANGED_LENGTH, UNREAD_LENGTH } from '../../../src/connector/changes.ts';
import type { ColumnRead, Connector } from '../../../src/connector/contract.ts';
import { CollectingSink } from '../../contract/collecting-sink.ts';
import { forever } from './server-set.ts';

/** Fields as hexadecimal text, `null`, `unchanged` or `unread`; of a row, without its count. */
export function fieldTexts(bytes: Uint8Array): string[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const texts: string[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = view.getInt32(at);
    at += 4;
    if (length === UNCHANGED_LENGTH) texts.push('unchanged');
    else if (length === UNREAD_LENGTH) texts.push('unread');
    else if (length < 0) texts.push('null');
    if (length < 0) continue;
    texts.push(Buffer.from(bytes.subarray(at, at + length)).toString('hex'));
    at += length;
  }
  return texts;
}

export function rowTexts(body: Uint8Array | null): string[] | null {
  return body === null ? null : fieldTexts(body.subarray(2));
}

/**
 * The rows of a table as a range read gives them in the forms of a streamed table, columns without a form left out.
 * `tableName`: as the site knows it.
 */
export async function rangeTexts(
  site: Pick<Connector, 'describeTables' | 'planRanges' | 'readRange'>,
  streamed: TopicTable,
  tableName = streamed.leaf,
): Promise<string[][]> {
  const [table] = await site.describeTables({ include: [tableName], exclude: [] }, forever());
  if (table === undefined) throw new Error(`no table ${tableName}`);
  const columns: ColumnRead[] = streamed.columns.flatMap(({ name, form }) =>
    form === null ? [] : [{ name, encoding: 'portable', form }],
  );
  const keyFields = streamed.keyFields ?? 0;
  const shape = { table, identity: 'key', columns, keyFields, pair: 'cross-engine' } as const;
  const options = { kind: 'slice', rowsMax: 10_000, bytesMax: 1 << 28 } as const;
  const sink = new CollectingSink();
  for (const range of await site.planRanges(shape, options, forever())) {
    await site.readRange({ shape, range }, sink, forever());
  }
  return sink.rows.map((row) => rowTexts(row) ?? []);
}
