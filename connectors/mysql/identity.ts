import type { Identity } from '../../src/connector/identity.ts';
import { TwinproofError } from '../../src/errors.ts';
import { isOn, readVariables, type Variables } from './identity-variables.ts';
import { readChannels } from './relation-channels.ts';
import type { Session } from './session.ts';

export interface MysqlIdentity extends Identity {
  readonly engine: 'mysql' | 'mariadb';
  readonly timeline: null;
  /** The number by which servers of one replication topology know each other. */
  readonly serverId: string;
}

/** Schemas of the server itself, on either flavor. */
export const SYSTEM_SCHEMAS: readonly string[] = ['mysql', 'information_schema', 'performance_schema', 'sys'];

const NAMES: readonly string[] = [
  'server_uuid',
  'server_uid',
  'server_id',
  'hostname',
  'port',
  'read_only',
  'super_read_only',
  'innodb_read_only',
  'transaction_read_only',
  'tx_read_only',
];

interface MomentRow {
  readonly [name: string]: string | null;
  readonly database: string | null;
  readonly started: string | null;
  readonly serverTime: string;
}

/**
 * Who the server is. The system identifier is server_uuid; MariaDB has none, so there it is server_uid (10.6.19,
 * 10.11.9 and later: a digest of network card and port, kept nowhere), else `server_id-hostname-port`. Neither must be
 * trusted to tell two servers apart: sameServer does that.
 *
 * A role that may not see replication (REPLICATION CLIENT, SLAVE MONITOR) is told a replica from a primary by whether
 * it takes writes, just so that preflight can say what is missing: relateSites never guesses.
 */
export async function readIdentity(session: Session, signal: AbortSignal): Promise<MysqlIdentity> {
  const variables = await readVariables(session, NAMES, signal);
  const moment = await readMoment(session, signal);
  const databases = await session.rows<{ name: string }>(
    `SELECT schema_name AS name FROM information_schema.schemata
     WHERE schema_name NOT IN (${SYSTEM_SCHEMAS.map(() => '?').join(', ')}) ORDER BY 1`,
    SYSTEM_SCHEMAS,
    signal,
  );
  const writable = isWritable(variables);
  const serverId = variables.get('server_id') ?? '0';
  return {
    engine: session.flavor,
    version: session.versionText,
    systemId: systemIdOf(variables),
    instance: instanceOf(variables, moment),
    timeline: null,
    role: await readRole(session, writable, signal),
    writable,
    database: moment.database ?? '',
    databases: databases.map(({ name }) => name),
    address: placeOf(variables),
    serverTime: moment.serverTime,
    serverId,
  };
}

/** Which running server it is, and the connected database; much less to ask for than a whole identity. */
export async function readInstance(session: Session, signal: AbortSignal): Promise<string> {
  const variables = await readVariables(session, NAMES, signal);
  const moment = await readMoment(session, signal);
  return `${instanceOf(variables, moment)}/${moment.database ?? ''}`;
}

/** A copy of a data folder keeps the UUID, and starts in another second, on another host or at another port. */
function instanceOf(variables: Variables, { started }: MomentRow): string {
  return [systemIdOf(variables), started ?? '', variables.get('server_id') ?? '0', placeOf(variables)].join(
    '/',
  );
}

/** Applications can write. A role with SUPER or CONNECTION_ADMIN can also where only read_only is set. */
function isWritable(variables: Variables): boolean {
  const names = ['read_only', 'super_read_only', 'innodb_read_only', 'transaction_read_only', 'tx_read_only'];
  return !names.some((name) => isOn(variables, name));
}

function systemIdOf(variables: Variables): string {
  const own = variables.get('server_uuid') ?? variables.get('server_uid') ?? '';
  return own === '' ? `${variables.get('server_id') ?? '0'}-${placeOf(variables)}` : own;
}

function placeOf(variables: Variables): string {
  return `${variables.get('hostname') ?? ''}:${variables.get('port') ?? ''}`;
}

/**
 * Start time in whole seconds: both numbers are of the moment at which the statement began, so their difference is the
 * same every time, also after the server's clock was set.
 */
async function readMoment(session: Session, signal: AbortSignal): Promise<MomentRow> {
  const status = session.flavor === 'mariadb' ? 'information_schema' : 'performance_schema';
  const [row] = await session.rows<{
    database: string | null;
    started: string | null;
    serverTime: string;
  }>(
    `SELECT DATABASE() AS \`database\`,
       (SELECT CAST(UNIX_TIMESTAMP() - s.variable_value AS SIGNED) FROM ${status}.global_status s
         WHERE s.variable_name = 'Uptime') AS started,
       DATE_FORMAT(UTC_TIMESTAMP(6), '%Y-%m-%dT%H:%i:%s.%fZ') AS serverTime`,
    [],
    signal,
  );
  if (row === undefined) throw new TwinproofError('TP-BUG', { message: 'the server told nothing of itself' });
  return row;
}

async function readRole(session: Session, writable: boolean, signal: AbortSignal): Promise<Identity['role']> {
  try {
    return (await readChannels(session, signal)).length > 0 ? 'subscriber' : 'primary';
  } catch (error) {
    if (!(error instanceof TwinproofError) || error.code !== 'TP-PERMISSION') throw error;
    return writable ? 'primary' : 'subscriber';
  }
}

/**
 * Whether two sessions end in one and the same running server, however it is addressed: one takes a lock that nobody
 * else has, the other sees who holds it, and sees it gone. Needs no privilege, and works on servers that take no
 * writes, and on clones that share UUID and start time.
 */
export async function sameServer(a: Session, b: Session, signal: AbortSignal): Promise<boolean> {
  // One server never has two connections of one number, so it makes the name unique there.
  const name = `twinproof-${a.connectionId}`;
  const holder = async (): Promise<string | null> => {
    const [row] = await b.rows<{ holder: string | null }>('SELECT IS_USED_LOCK(?) AS holder', [name], signal);
    return row?.holder ?? null;
  };
  await a.rows('SELECT GET_LOCK(?, 0)', [name], signal);
  let seen: string | null;
  try {
    seen = await holder();
  } finally {
    await a.rows('SELECT RELEASE_LOCK(?)', [name], new AbortController().signal);
  }
  // Another verifier may hold a lock of this name on another server, and for longer than ours.
  return seen === String(a.connectionId) && (await holder()) === null;
}
