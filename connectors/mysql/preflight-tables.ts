import type { Finding } from '../../src/connector/identity.ts';
import { readVariables } from './identity-variables.ts';
import type { Session } from './session.ts';

const LISTED_MAX = 5;

interface TableRow {
  readonly [name: string]: string | null;
  readonly name: string;
  readonly engine: string | null;
  /** Whether a value may be longer than max_allowed_packet. */
  readonly long: string;
}

/** Tables of the database that cannot be compared whole. */
export async function tableFindings(
  session: Session,
  database: string,
  selects: (schema: string, table: string) => boolean,
  signal: AbortSignal,
): Promise<Finding[]> {
  const packet = await readVariables(session, ['max_allowed_packet'], signal);
  const bytes = packet.get('max_allowed_packet') ?? '0';
  const rows = await session.rows<{ name: string; engine: string | null; long: string }>(
    `SELECT t.table_name AS name, t.engine AS engine,
       EXISTS (SELECT 1 FROM information_schema.columns c WHERE c.table_schema = t.table_schema
         AND c.table_name = t.table_name AND c.character_octet_length > CAST(? AS UNSIGNED)) AS \`long\`
     FROM information_schema.tables t WHERE t.table_schema = ? AND t.table_type = 'BASE TABLE' ORDER BY 1`,
    [bytes, database],
    signal,
  );
  const tables = rows.filter(({ name }) => selects(database, name));
  return [...engineFindings(tables), ...packetFindings(tables, bytes)];
}

function engineFindings(tables: readonly TableRow[]): Finding[] {
  const others = tables.filter(({ engine }) => engine?.toUpperCase() !== 'INNODB');
  if (others.length === 0) return [];
  const engines = [...new Set(others.map(({ engine }) => engine ?? 'unknown'))].sort().join(', ');
  return [
    {
      code: 'TP-P-ENGINE',
      severity: 'warn',
      subject: listOf(others),
      message: `${others.length} tables are not InnoDB (${engines}): they have no snapshots, so they stay unproven`,
      hint: 'convert them, or exclude them by name',
      sql: others
        .map(({ name }) => `ALTER TABLE \`${name.replaceAll('`', '``')}\` ENGINE = InnoDB;`)
        .join('\n'),
    },
  ];
}

function packetFindings(tables: readonly TableRow[], bytes: string): Finding[] {
  const long = tables.filter((table) => table.long === '1');
  if (long.length === 0) return [];
  return [
    {
      code: 'TP-P-PACKET',
      severity: 'info',
      subject: listOf(long),
      message: `a row longer than max_allowed_packet (${bytes} bytes) cannot be read; these tables have columns that can hold one`,
      hint: 'nothing need be changed unless a read fails for it',
      sql: 'SET GLOBAL max_allowed_packet = 1073741824;',
    },
  ];
}

function listOf(tables: readonly TableRow[]): string {
  const names = tables.slice(0, LISTED_MAX).map(({ name }) => name);
  return tables.length > LISTED_MAX
    ? `${names.join(', ')} and ${tables.length - LISTED_MAX} more`
    : names.join(', ');
}
