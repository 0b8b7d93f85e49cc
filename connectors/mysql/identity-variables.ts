import type { Session } from './session.ts';

/** Global variables or status counters by name, in lower case; those that the server does not know are absent. */
export type Variables = ReadonlyMap<string, string>;

/**
 * Global variables by SHOW, which any role may do, and which does not fail where a name is unknown: flavors and
 * versions have different ones.
 */
export function readVariables(
  session: Session,
  names: readonly string[],
  signal: AbortSignal,
): Promise<Variables> {
  return show(session, 'VARIABLES', names, signal);
}

export function readStatus(
  session: Session,
  names: readonly string[],
  signal: AbortSignal,
): Promise<Variables> {
  return show(session, 'STATUS', names, signal);
}

async function show(
  session: Session,
  what: 'VARIABLES' | 'STATUS',
  names: readonly string[],
  signal: AbortSignal,
): Promise<Variables> {
  const rows = await session.rows<{ Variable_name: string; Value: string }>(
    `SHOW GLOBAL ${what} WHERE Variable_name IN (${names.map(() => '?').join(', ')})`,
    names,
    signal,
  );
  return new Map(rows.map(({ Variable_name: name, Value: value }) => [name.toLowerCase(), value]));
}

/** How the server says yes; MariaDB 12 has further values of read_only, which all mean yes. */
export function isOn(variables: Variables, name: string): boolean {
  const value = variables.get(name)?.toUpperCase();
  return value !== undefined && value !== 'OFF' && value !== '0' && value !== 'NO' && value !== '';
}
