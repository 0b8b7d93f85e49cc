import type { VerdictJson } from '../verdict/json.ts';
import { facts, filePage, type Sections, table } from './file-page.ts';
import { html, type Html } from './html.ts';
import type { ReadinessJson } from './readiness-json.ts';
import type { VerifyDocument } from './verify-json.ts';

/** One candidate's verdict as `certify` prints it. */
type NamedVerdict = VerdictJson & {
  readonly candidate?: string;
  readonly position?: string | null;
  readonly ledgerPosition?: string | null;
};

interface Verdicts {
  readonly schema: 'twinproof.verdicts/v1';
  readonly best: { readonly candidate?: string | undefined; readonly why: string };
  readonly candidates: readonly NamedVerdict[];
}

/** What `--format json` of `verify`, `certify` or `readiness` prints. */
export type ResultDocument = VerifyDocument | NamedVerdict | Verdicts | ReadinessJson;

/**
 * A result as one HTML file that needs nothing else: for an audit, for paper. The JSON that it was made of is at its end.
 *
 * @param json The text as it was printed.
 */
export function resultHtml(document: ResultDocument, json: string, madeAt: Date): string {
  return filePage(sectionsOf(document), json, madeAt);
}

function sectionsOf(document: ResultDocument): Sections {
  if (document.schema === 'twinproof.verify/v1') return verifySections(document);
  if (document.schema === 'twinproof.readiness/v1') return readinessSections(document);
  if (document.schema === 'twinproof.verdicts/v1') {
    const { best, candidates } = document;
    const verdict = candidates[0]?.verdict ?? 'UNKNOWN';
    const name = best.candidate ?? '';
    const body = html`<p>${name}: ${best.why}</p>
      ${candidates.map(verdictBody)}`;
    return { title: `${verdict}: ${name}`, tone: TONES[verdict], body };
  }
  const name = document.candidate === undefined ? '' : `: ${document.candidate}`;
  return {
    title: `${document.verdict}${name}`,
    tone: TONES[document.verdict],
    body: verdictBody(document),
  };
}

const TONES = { SAFE: 'good', SAFE_WITH_LOSS: 'warn', NOT_SAFE: 'bad', UNKNOWN: 'grey' } as const;

function verdictBody(verdict: NamedVerdict): Html {
  const { loss, rpo, coverage, notProven, reasons } = verdict;
  return html`<section>
    ${verdict.candidate === undefined ? null : html`<h2>${verdict.candidate}: ${verdict.verdict}</h2>`}
    ${facts([
      ['Mode', verdict.mode],
      ['Integrity', verdict.integrity],
      ['Loss', loss.kind],
      ['Loss at most', milliseconds(rpo.boundMs)],
      ['Loss at least', milliseconds(rpo.atLeastMs)],
      ['Objective', milliseconds(rpo.objectiveMs)],
      ['Lost transactions', loss.transactions],
      ['Lost changes', loss.changes],
      ['Different rows among them', loss.keys],
      [
        'Commit times of what is lost',
        [loss.firstCommitAt, loss.lastCommitAt].filter((one) => one !== null).join(' to '),
      ],
      ['Primary last seen', loss.witnessedUntil],
      ['Coverage', `${coverage.compared} of ${coverage.tables} tables`],
      ['Position', verdict.position ?? null],
      ['Position of the ledger', verdict.ledgerPosition ?? null],
      ['Decided', verdict.decidedAt],
      ['Lapses', verdict.expiresAt],
    ])}
    ${table(
      'Reasons',
      ['Effect', 'Subject', 'Reason', 'What to do', 'Code'],
      reasons.map(({ effect, subject, message, hint, code }) => [effect, subject, message, hint, code]),
    )}
    ${table(
      'Not proven',
      ['Subject', 'What', 'Left out by', 'Code'],
      notProven.map(({ subject, message, decidedBy, code }) => [subject, message, decidedBy ?? '', code]),
    )}
  </section>`;
}

function verifySections({
  outcome,
  pair,
  startedAt,
  finishedAt,
  coverage,
  tables,
  reasons,
  primary,
  candidate,
}: VerifyDocument): Sections {
  return {
    title: `rows are ${outcome}`,
    tone: ({ same: 'good', different: 'bad', unproven: 'grey' } as const)[outcome],
    body: html`${facts([
      ['Pair', pair],
      ['Begun', startedAt],
      ['Ended', finishedAt],
      ['Primary', siteText(primary)],
      ['Candidate', siteText(candidate)],
      ['Coverage', `${coverage.compared} of ${coverage.tables} tables`],
    ])}
    ${table(
      'Tables',
      [
        'Table',
        'Outcome',
        'Rows of the primary',
        'Rows of the candidate',
        'Missing',
        'Extra',
        'Changed',
        'Reasons',
      ],
      tables.map(({ table: name, outcome: own, rows, differences, reasons: why }) => [
        name,
        own,
        rows.primary,
        rows.candidate,
        differences.missing,
        differences.extra,
        differences.changed,
        why.map(({ message }) => message).join('; '),
      ]),
    )}
    ${table(
      'Left out',
      ['Table', 'Why'],
      coverage.excluded.map((one) => [one.table, one.reason]),
    )}
    ${table(
      'Rows that differ (samples)',
      ['Table', 'Kind', 'Key', 'Columns'],
      tables.flatMap(({ table: name, samples }) =>
        samples.map(({ kind, key, columns }) => [
          name,
          kind,
          JSON.stringify(key),
          (columns ?? []).join(', '),
        ]),
      ),
    )}
    ${table(
      'Reasons',
      ['Severity', 'Subject', 'Reason', 'What to do', 'Code'],
      reasons.map(({ severity, subject, message, hint, code }) => [severity, subject, message, hint, code]),
    )}`,
  };
}

function siteText({ engine, identity, position }: VerifyDocument['candidate']): string {
  const who = identity === null ? 'not reached' : `${identity.version}, system ${identity.systemId}`;
  return `${engine} ${who}${position === null ? '' : `, at ${position}`}`;
}

function readinessSections({
  mode,
  switchover,
  failover,
  checkedAt,
  primary,
  candidate,
  results,
  refusal,
}: ReadinessJson): Sections {
  const { word } = mode === 'switchover' ? switchover : failover;
  const found = results.filter(({ state }) => state !== 'pass');
  return {
    title: `${word === 'unknown' ? 'readiness not known' : word.replace('-', ' ')} for ${mode}`,
    tone: ({ ready: 'good', 'not-ready': 'bad', unknown: 'grey' } as const)[word],
    body: html`${facts([
      ['Checked', checkedAt],
      ['Primary', primary.silence ?? primary.site],
      ['Candidate', candidate.silence ?? candidate.site],
      ['Switchover', `${switchover.word}, ${switchover.blocking} blocking, ${switchover.unknown} not known`],
      ['Failover', `${failover.word}, ${failover.blocking} blocking, ${failover.unknown} not known`],
      ['No pair', refusal?.message ?? null],
    ])}
    ${table(
      'Found',
      ['State', 'Switchover', 'Failover', 'Subject', 'What', 'What to do', 'Waived', 'Code'],
      found.map(({ state, severity, subject, message, hint, waiver, code }) => [
        state,
        severity.switchover,
        severity.failover,
        subject,
        message,
        hint,
        waiver === null ? '' : `${waiver.by} until ${waiver.until}: ${waiver.reason}`,
        code,
      ]),
    )}
    ${table(
      'Passed',
      ['Subject', 'What', 'Code'],
      results
        .filter(({ state }) => state === 'pass')
        .map(({ subject, message, code }) => [subject, message, code]),
    )}`,
  };
}

function milliseconds(ms: number | null): string | null {
  return ms === null ? null : `${ms / 1000} s`;
}
