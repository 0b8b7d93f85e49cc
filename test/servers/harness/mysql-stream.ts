import { connectTarget } from '../../../connectors/mysql/address.ts';
import { openChangeStream } from '../../../connectors/mysql/stream.ts';
import { LogMemory } from '../../../connectors/mysql/stream-memory.ts';
import { parseUrl } from '../../../src/config/url.ts';
import {
  type ChangeEvent,
  type ChangeRequest,
  type ChangeStream,
  UNCHANGED_LENGTH,
  UNREAD_LENGTH,
} from '../../../src/connector/changes.ts';
import type { Position } from '../../../src/connector/position.ts';
import type { ConnectTarget } from '../../../connectors/mysql/address.ts';
import { keyFieldsOf } from '../../../src/row/stream.ts';
import { Follower } from './change-stream.ts';
import type { MysqlEndpoint } from '../../../src/demo/mysql-endpoint.ts';
import type { MysqlServer } from './mysql-server.ts';
import type { MysqlSettings } from '../../../src/demo/mysql-settings.ts';

/** What a server must have so that its changes can be streamed. */
export const STREAMED: MysqlSettings = { binlog_row_metadata: 'FULL' };

export interface MysqlFollowOptions {
  readonly after?: Position | null;
  readonly mark?: string | null | undefined;
  readonly held?: ChangeRequest['held'];
  readonly own?: boolean;
  readonly user?: string;
  readonly password?: string;
  readonly signal?: AbortSignal;
  /** Of the streams before; default: there were none. */
  readonly memory?: LogMemory;
}

let lastServerId = 3_000_000_000 + (process.pid % 10_000) * 100;

export function targetOf(
  server: MysqlEndpoint,
  database: string,
  user?: string,
  password?: string,
): ConnectTarget {
  return connectTarget(parseUrl(server.url(user, database, password), 'secret').address, {});
}

/** A stream of one database, as the connector opens it. */
export function openMysqlStream(
  server: MysqlEndpoint,
  database: string,
  options: MysqlFollowOptions = {},
): Promise<ChangeStream> {
  const { after = null, mark, held, own = false, user, password, signal } = options;
  const { memory = new LogMemory() } = options;
  lastServerId += 1;
  const serverId = lastServerId;
  return openChangeStream(
    targetOf(server, database, user, password),
    { serverId: () => serverId, heartbeatMs: 200, own, memory: () => memory },
    { after, pair: 'logical', mark, held },
    signal ?? new AbortController().signal,
  );
}

/** The same, read transaction by transaction. */
export async function followMysql(
  server: MysqlEndpoint,
  database: string,
  options: MysqlFollowOptions = {},
): Promise<Follower> {
  return Follower.over(await openMysqlStream(server, database, options));
}

/** Streams of one server, each test with a database of its own, since a stream brings all of one. */
export class StreamedDatabases {
  readonly #server: MysqlServer;
  readonly #open: Follower[] = [];
  #last = 0;

  constructor(server: MysqlServer) {
    this.#server = server;
  }

  async create(schema: string): Promise<string> {
    this.#last += 1;
    const name = `bank${this.#last}`;
    await this.#server.sql(`CREATE DATABASE ${name}`);
    await this.#server.sql(schema, [], name);
    return name;
  }

  /** Begins at the end of the log: the first batch says where that is. */
  async follow(name: string, options: MysqlFollowOptions = {}): Promise<Follower> {
    const follower = await followMysql(this.#server, name, options);
    this.#open.push(follower);
    if (options.after === undefined) await follower.batch();
    return follower;
  }

  async close(): Promise<void> {
    for (const follower of this.#open.splice(0)) await follower.stream.close();
  }
}

/** `insert t 1 [1|a]`: kind, table, key (old>new where it changed), rows before and after; gaps and definitions too. */
export function told(event: ChangeEvent): string {
  switch (event.type) {
    case 'truncate':
      return `truncate ${event.tables.map(({ leaf }) => leaf).join()}`;
    case 'gap':
      return `gap ${event.tables?.join() ?? 'everything'}`;
    case 'definition':
      return `definition ${event.table.leaf}(${event.table.columns.map(({ name }) => name).join()})`;
    case 'insert':
    case 'update':
    case 'delete': {
      const { key, oldKey, before, after, table } = event;
      const keys = [oldKey, key].filter((one) => one !== null).map((one) => texts(keyFieldsOf(one)).join());
      const rows = [before, after].map((row) => (row === null ? '' : ` [${rowTexts(row).join('|')}]`));
      return `${event.type} ${table.leaf} ${keys.length === 0 ? 'no key' : keys.join('>')}${rows.join('')}`;
    }
    default:
      return event.type;
  }
}

function rowTexts(body: Uint8Array): string[] {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const marks: string[] = [];
  let at = 2;
  for (let left = view.getInt16(0); left > 0; left -= 1) {
    const length = view.getInt32(at);
    at += 4;
    if (length === UNCHANGED_LENGTH) marks.push('·');
    else if (length === UNREAD_LENGTH) marks.push('?');
    else if (length < 0) marks.push('null');
    else marks.push(text(body.subarray(at, at + length)));
    at += Math.max(0, length);
  }
  return marks;
}

const texts = (fields: readonly (Uint8Array | null)[]): string[] =>
  fields.map((field) => (field === null ? 'null' : text(field)));

/** Integers of 4 bytes are little endian, and small in tests. */
function text(value: Uint8Array): string {
  const isInteger = value.length === 4 && value[3] === 0;
  const bytes = Buffer.from(value);
  return isInteger ? String(bytes.readInt32LE()) : bytes.toString('utf8');
}

/** What the next transaction changed. */
export async function nextChanges(follower: Follower): Promise<readonly string[]> {
  return (await follower.transaction()).events.map(told);
}
