import { isLocal } from '../../src/connector/endpoint.ts';
import type { Finding } from '../../src/connector/identity.ts';
import { neededBy, type PreflightOptions } from '../../src/connector/preflight.ts';
import { TwinproofError } from '../../src/errors.ts';
import { readIdentity } from './identity.ts';
import type { Lineage } from './positions.ts';
import { logFindings } from './preflight-log.ts';
import { excessFindings } from './preflight-excess.ts';
import { readinessFindings } from './preflight-readiness.ts';
import { replicaFindings } from './preflight-replica.ts';
import { privilegeFindings, roleSql } from './preflight-role.ts';
import { tableFindings } from './preflight-tables.ts';
import { readChannels, type Channel } from './relation-channels.ts';
import type { Session } from './session.ts';

/** The newest versions that were tested, as Session.version has them; a newer one is used with a warning. */
const NEWEST = { mysql: 90_799, mariadb: 110_899 } as const;
const NEWEST_NAMES = { mysql: 'MySQL 9.7', mariadb: 'MariaDB 11.8' } as const;

/**
 * What on this site would make evidence unsound, partial or slow. `selects` limits the tables that are looked at;
 * `lineage` is what relateSites found, if it was asked before. Every statement in `sql` is for a DBA to read and run;
 * nothing here changes anything.
 */
export async function readFindings(
  session: Session,
  selects: (schema: string, table: string) => boolean,
  lineage: Lineage | null,
  signal: AbortSignal,
  options: PreflightOptions = {},
): Promise<Finding[]> {
  const findings = [
    ...sessionFindings(session),
    ...(await excessFindings(session, options, signal)),
    ...(await privilegeFindings(session, options, signal)),
  ];
  const channels = await readOrFind(session, findings, signal);
  const identity = await readIdentity(session, signal);
  findings.push(...(await logFindings(session, channels ?? [], signal)));
  if (channels !== null && channels.length > 0) {
    findings.push(...(await replicaFindings(session, identity, channels, lineage, signal)));
  }
  findings.push(...(await readinessFindings(session, options, signal)));
  if (neededBy({ commands: ['verify', 'certify', 'watch'] }, options).length > 0) {
    findings.push(...(await tableFindings(session, identity.database, selects, signal)));
  }
  return findings;
}

/** The channels; null, with a finding, when the role may not see them. */
async function readOrFind(
  session: Session,
  findings: Finding[],
  signal: AbortSignal,
): Promise<Channel[] | null> {
  try {
    return await readChannels(session, signal);
  } catch (error) {
    if (!(error instanceof TwinproofError) || error.code !== 'TP-PERMISSION') throw error;
    findings.push({
      code: 'TP-P-REPLICATION',
      severity: 'block',
      subject: 'replication',
      message: 'the role may not see whether this server replicates, from which server, and how far it got',
      hint: 'without it no pair of sites can be recognised',
      sql: await roleSql(
        session,
        session.flavor === 'mysql' ? 'REPLICATION CLIENT' : 'SLAVE MONITOR, BINLOG MONITOR',
        signal,
      ),
    });
    return null;
  }
}

function sessionFindings({ flavor, version, versionText, target }: Session): Finding[] {
  const findings: Finding[] = [];
  if (version > NEWEST[flavor]) {
    findings.push({
      code: 'TP-P-VERSION',
      severity: 'warn',
      subject: versionText,
      message: `version ${versionText} is newer than the newest one that was tested (${NEWEST_NAMES[flavor]})`,
      hint: 'look for a newer twinproof',
    });
  }
  if (target.tls === null && target.socketPath === null && !isLocal(target.host)) {
    findings.push({
      code: 'TP-P-TLS',
      severity: 'warn',
      subject: target.label,
      message: 'rows travel unencrypted, and nothing proves that this is the right server',
      hint: 'leave sslmode=disable out of the URL, or say sslmode=verify-full',
    });
  } else if (target.tls !== null && !target.tls.verifyIdentity) {
    findings.push({
      code: 'TP-P-TLS',
      severity: 'warn',
      subject: target.label,
      message: 'rows travel encrypted, but nothing proves that this is the right server',
      hint: 'say sslmode=verify-full and name the authority in sslrootcert',
    });
  }
  return findings;
}
