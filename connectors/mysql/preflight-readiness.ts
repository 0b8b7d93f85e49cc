import { findingFor, type Finding } from '../../src/connector/identity.ts';
import { neededBy, type PreflightOptions } from '../../src/connector/preflight.ts';
import type { Reading } from '../../src/connector/reading.ts';
import {
  ACCOUNTS_NEED,
  definersNeed,
  GRANTS_NEED,
  readAccounts,
  readDefiners,
  readEvents,
  readGrants,
  readTriggers,
} from './facts-accounts.ts';
import { PREPARED_NEED, readingOf } from './facts-reading.ts';
import { readPrepared } from './facts-tables.ts';
import type { Session } from './session.ts';

/** What the role may not read that readiness looks at; by trying, so that privileges of roles count. */
export async function readinessFindings(
  session: Session,
  options: PreflightOptions,
  signal: AbortSignal,
): Promise<Finding[]> {
  const commands = neededBy({ commands: ['certify', 'readiness'] }, options);
  if (commands.length === 0) return [];
  const needed = [
    await readingOf(session, ACCOUNTS_NEED, () => readAccounts(session, signal), signal),
    await readingOf(session, definersNeed(session), () => readDefiners(session, signal), signal),
  ];
  const database = `\`${session.target.database.replaceAll('`', '``')}\`.*`;
  const optional = [
    await readingOf(
      session,
      { privileges: 'EVENT', on: database },
      () => readEvents(session, signal),
      signal,
    ),
    await readingOf(
      session,
      { privileges: 'TRIGGER', on: database },
      () => readTriggers(session, signal),
      signal,
    ),
    await readingOf(session, PREPARED_NEED, () => readPrepared(session, signal), signal),
    await readingOf(session, GRANTS_NEED, () => readGrants(session, signal), signal),
  ];
  return [
    ...findingOf(needed, {
      code: 'TP-P-READINESS',
      severity: 'warn',
      message: 'it cannot be seen whether accounts, and those who defined views and routines, exist here',
      hint: 'needed on both sites: without it `certify` never says SAFE. No password is read',
    }),
    ...findingOf(optional, {
      code: 'TP-P-READINESS-MORE',
      severity: 'info',
      message: 'events, triggers, prepared transactions or grants of others cannot be looked at',
      hint: 'readiness then says what it did not check; SELECT on mysql.* shows what passwords are checked with, so weigh it',
    }),
  ].map((finding) => findingFor(finding, commands));
}

function findingOf(readings: readonly Reading<unknown>[], finding: Omit<Finding, 'subject'>): Finding[] {
  const denied = readings.flatMap((reading) =>
    reading.known || reading.sql === undefined ? [] : [{ reason: reading.reason, sql: reading.sql }],
  );
  if (denied.length === 0) return [];
  const subject = denied.map(({ reason }) => reason.replace('this account lacks ', '')).join('; ');
  return [{ ...finding, subject, sql: denied.map(({ sql }) => sql).join('\n') }];
}
