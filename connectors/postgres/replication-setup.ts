import type { Finding } from '../../src/connector/identity.ts';
import { isPublished, LINE } from './publication-sql.ts';
import type { StreamFacts, StreamNames } from './replication-slot.ts';
import type { Session } from './session.ts';

/** A table of the database and whether changes of its rows can be streamed. */
export interface PublishableTable {
  /** `schema.table`, unquoted. */
  readonly name: string;
  /** Quoted by the server. */
  readonly qualified: string;
  /** In the publication already, itself or by a partitioned table above it. */
  readonly published: boolean;
  /** Why not; null: it can be. */
  readonly obstacle: string | null;
}

export interface StreamSetup {
  /** For a DBA to read and run, as a superuser; empty: nothing is missing. */
  readonly sql: string;
  readonly findings: readonly Finding[];
}

export interface SetupFacts extends StreamFacts {
  readonly quotedRole: string;
  readonly quotedPublication: string;
  readonly synchronousStandbys: string;
  /** synchronized_standby_slots (version 17 and later); null: the server knows no slots that outlive a failover. */
  readonly heldBackBy: string | null;
  /** max_replication_slots, and how many of them are taken. */
  readonly slots: { readonly most: number; readonly taken: number };
  readonly tables: readonly PublishableTable[];
}

interface TableRow {
  readonly name: string;
  readonly qualified: string;
  readonly published: boolean;
  readonly persistence: string;
  readonly identified: boolean;
  /** A column whose elements cannot be sent in binary. */
  readonly unsendable: string | null;
}

interface SiteRow {
  readonly role: string;
  readonly publication: string;
  readonly standbys: string;
  readonly heldBackBy: string | null;
  readonly most: number;
  readonly taken: number;
}

/**
 * Tables by their leaves, since a replica identity is each partition's own. Identified: updates and deletes of a
 * published table work only with a primary key that is not deferrable, a replica identity index, or identity full (manual,
 * "Replica Identity"). Unsendable: an array or composite whose inner type has no binary output stops the stream.
 */
function tablesQuery(versionNumber: number): string {
  return `
select n.nspname || '.' || c.relname as name, pg_catalog.format('%I.%I', n.nspname, c.relname) as qualified,
  c.relpersistence as persistence,
  ${isPublished(versionNumber, LINE)} as published,
  c.relreplident = 'f'
    or (c.relreplident = 'd' and exists (select from pg_index i
      where i.indrelid = c.oid and i.indisprimary and i.indimmediate))
    or (c.relreplident = 'i' and exists (select from pg_index i where i.indrelid = c.oid and i.indisreplident))
    as identified,
  (select a.attname::text from pg_attribute a join pg_type t on t.oid = a.atttypid
    join pg_type e on e.oid = t.typelem and t.typsubscript = 'pg_catalog.array_subscript_handler'::regproc
    where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and e.typsend = 0
    order by a.attnum limit 1) as unsendable
from pg_class c join pg_namespace n on n.oid = c.relnamespace
left join pg_publication pub on pub.pubname = $1
where c.relkind = 'r' and c.relpersistence <> 't' and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
order by 1`;
}

/** What `streamSetup` needs beyond the facts of slot and publication. `selects` limits the tables. */
export async function readSetupFacts(
  session: Session,
  facts: StreamFacts,
  names: StreamNames,
  selects: (name: string) => boolean,
  signal: AbortSignal,
): Promise<SetupFacts> {
  const rows = await session.rows<TableRow>(tablesQuery(session.versionNumber), [names.publication], signal);
  const [site] = await session.rows<SiteRow>(
    `select pg_catalog.quote_ident(current_user) as role, pg_catalog.quote_ident($1) as publication,
       pg_catalog.current_setting('synchronous_standby_names') as standbys,
       pg_catalog.current_setting('synchronized_standby_slots', true) as "heldBackBy",
       pg_catalog.current_setting('max_replication_slots')::int as most,
       (select count(*)::int from pg_replication_slots) as taken`,
    [names.publication],
    signal,
  );
  return {
    ...facts,
    quotedRole: site?.role ?? '',
    quotedPublication: site?.publication ?? '',
    synchronousStandbys: site?.standbys ?? '',
    heldBackBy: site?.heldBackBy ?? null,
    slots: { most: site?.most ?? 0, taken: site?.taken ?? 0 },
    tables: rows.filter(({ name }) => selects(name)).map(tableOf),
  };
}

function tableOf({
  name,
  qualified,
  published,
  persistence,
  identified,
  unsendable,
}: TableRow): PublishableTable {
  let obstacle: string | null = null;
  if (persistence === 'u') obstacle = 'it is unlogged';
  else if (!identified) obstacle = 'it has no replica identity: publishing it would make its updates fail';
  else if (unsendable !== null) obstacle = `column "${unsendable}" cannot be sent in binary`;
  return { name, qualified, published, obstacle };
}

/**
 * The SQL that lets changes be streamed, and what remains to be decided. Pure. The publication is an explicit list:
 * FOR ALL TABLES makes updates and deletes fail on every table without a replica identity (measured).
 */
export function streamSetup(facts: SetupFacts, names: StreamNames, allowUnboundedWal: boolean): StreamSetup {
  const findings = [...serverFindings(facts, allowUnboundedWal), ...tableFindings(facts)];
  // A slot without a limit is how the primary’s disk fills up: no SQL that makes one.
  const blocked = findings.some(({ severity }) => severity === 'block');
  const statements: string[] = [];
  if (!facts.mayReplicate) statements.push(`ALTER ROLE ${facts.quotedRole} REPLICATION;`);
  statements.push(...publicationSql(facts));
  if (facts.slot === null && !blocked) {
    statements.push(...slotSql(facts, names));
  }
  return { sql: statements.join('\n'), findings };
}

/**
 * A slot that standbys keep copies of, so that after a failover the log is followed without a gap. Where the primary hands
 * the changes of such slots on only when standbys have them, a ledger that is fed by one never has what they lack: that
 * choice is the DBA's.
 */
function slotSql({ heldBackBy }: SetupFacts, { slot }: StreamNames): readonly string[] {
  const call = (more: string): string =>
    `SELECT pg_catalog.pg_create_logical_replication_slot(${literal(slot)}, 'pgoutput'${more});`;
  if (heldBackBy === null) return [call('')];
  const outliving = ', failover => true';
  if (heldBackBy === '') return [call(outliving)];
  return [
    `-- with failover => true it would outlive a failover, and be sent nothing before standbys have it`,
    `-- (synchronized_standby_slots): after the loss of this server nothing could be said of what was lost`,
    call(''),
  ];
}

function publicationSql({ publication, quotedPublication, tables }: SetupFacts): readonly string[] {
  const missing = tables.filter(({ obstacle, published }) => obstacle === null && !published);
  if (missing.length === 0) return [];
  const list = missing.map(({ qualified }) => `  ONLY ${qualified}`).join(',\n');
  const verb = publication === null ? 'CREATE PUBLICATION' : 'ALTER PUBLICATION';
  return [`${verb} ${quotedPublication} ${publication === null ? 'FOR' : 'ADD'} TABLE\n${list};`];
}

function serverFindings(facts: SetupFacts, allowUnboundedWal: boolean): readonly Finding[] {
  const findings: Finding[] = [];
  if (facts.walLevel !== 'logical') {
    findings.push({
      code: 'TP-P-WAL-LEVEL',
      severity: 'block',
      subject: 'wal_level',
      message: `it is ${facts.walLevel}: the log does not say which rows change`,
      hint: 'the server must be restarted for it',
      sql: 'ALTER SYSTEM SET wal_level = logical;',
    });
  }
  if (facts.slotKeepMb < 0 && !allowUnboundedWal) {
    findings.push({
      code: 'TP-P-WAL-LIMIT',
      severity: 'block',
      subject: 'max_slot_wal_keep_size',
      message: 'it is not limited: should watch stand still, its slot could fill the disk of this server',
      hint: 'choose a size well below the free space; beyond it the slot is lost, and a new baseline is needed',
      sql: `ALTER SYSTEM SET max_slot_wal_keep_size = '10GB';\nSELECT pg_catalog.pg_reload_conf();`,
    });
  }
  if (facts.slot === null && facts.slots.taken >= facts.slots.most) {
    findings.push({
      code: 'TP-P-SLOTS',
      severity: 'block',
      subject: 'max_replication_slots',
      message: `all ${facts.slots.most} of them are taken`,
      hint: 'drop one that nobody uses any more, or raise the number, for which the server must be restarted',
      sql: `ALTER SYSTEM SET max_replication_slots = ${facts.slots.most + 1};`,
    });
  }
  if (facts.heldBackBy === '' && facts.slot?.failover === false) {
    findings.push({
      code: 'TP-P-FAILOVER',
      severity: 'info',
      subject: 'replication slot',
      message: 'no standby keeps a copy of it: after a failover watch names a gap and reads every row anew',
      hint: 'while watch stands still drop it and make it with failover => true; it costs a new baseline once',
    });
  }
  if (facts.publication?.allTables === true) {
    findings.push({
      code: 'TP-P-ALL-TABLES',
      severity: 'warn',
      subject: facts.quotedPublication,
      message: 'it publishes all tables: updates and deletes fail on every table without a replica identity',
      hint: 'use a publication with a list of tables',
    });
  }
  if (facts.synchronousStandbys.includes('*')) {
    findings.push({
      code: 'TP-P-SYNCHRONOUS',
      severity: 'warn',
      subject: 'synchronous_standby_names',
      message:
        'it takes any client for a standby: a commit could wait for watch, or be called safe because of it',
      hint: 'list the standbys by name',
    });
  }
  return findings;
}

function tableFindings({ tables }: SetupFacts): readonly Finding[] {
  const severity = (published: boolean): Finding['severity'] => (published ? 'block' : 'warn');
  return tables.flatMap(({ name, obstacle, published, qualified }) =>
    obstacle === null
      ? []
      : [
          {
            code: 'TP-P-UNPUBLISHED',
            severity: severity(published),
            subject: name,
            message: `${obstacle}; ${published ? 'it is in the publication all the same' : 'it stays unproven after a loss'}`,
            hint: `give ${qualified} a primary key, or REPLICA IDENTITY FULL, which writes more log`,
          },
        ],
  );
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
