import type { VerdictJson } from '../verdict/json.ts';
import { html, Html, type HtmlValue } from './html.ts';
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
  const { title, tone, body } = sectionsOf(document);
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta http-equiv="content-security-policy" content="default-src 'none'; style-src 'unsafe-inline'" />
        <title>Twinproof: ${title}</title>
        <style>
          ${new Html(STYLE)}
        </style>
      </head>
      <body>
        <header class="${tone}">
          <p>Twinproof</p>
          <h1>${title}</h1>
        </header>
        <main>${body}</main>
        <details>
          <summary>The result as JSON</summary>
          <pre>${linesOf(json)}</pre>
        </details>
        <footer>Made at ${madeAt.toISOString()}.</footer>
      </body>
    </html> `.text;
}

/** Each line by itself: an end of line is one, and whatever else acts in a text is shown. */
function linesOf(json: string): Html {
  return new Html(
    json
      .split('\n')
      .map((line) => html`${line}`.text)
      .join('\n'),
  );
}

interface Sections {
  readonly title: string;
  readonly tone: 'good' | 'warn' | 'bad' | 'grey';
  readonly body: Html;
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
    <h3>Reasons</h3>
    ${table(
      ['Effect', 'Subject', 'Reason', 'What to do', 'Code'],
      reasons.map(({ effect, subject, message, hint, code }) => [effect, subject, message, hint, code]),
    )}
    <h3>Not proven</h3>
    ${table(
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
      <h3>Tables</h3>
      ${table(
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
      <h3>Left out</h3>
      ${table(
        ['Table', 'Why'],
        coverage.excluded.map((one) => [one.table, one.reason]),
      )}
      <h3>Rows that differ (samples)</h3>
      ${table(
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
      <h3>Reasons</h3>
      ${table(
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
        [
          'Switchover',
          `${switchover.word}, ${switchover.blocking} blocking, ${switchover.unknown} not known`,
        ],
        ['Failover', `${failover.word}, ${failover.blocking} blocking, ${failover.unknown} not known`],
        ['No pair', refusal?.message ?? null],
      ])}
      <h3>Found</h3>
      ${table(
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
      <h3>Passed</h3>
      ${table(
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

/** What is null is unknown, and said to be. */
function facts(pairs: readonly (readonly [string, string | null])[]): Html {
  return html`<dl>
    ${pairs.map(
      ([name, value]) =>
        html`<div>
          <dt>${name}</dt>
          <dd>${value === null || value === '' ? '–' : value}</dd>
        </div>`,
    )}
  </dl>`;
}

function table(head: readonly string[], rows: readonly (readonly HtmlValue[])[]): Html {
  if (rows.length === 0) return html`<p>None.</p>`;
  return html`<table>
    <thead>
      <tr>
        ${head.map((name) => html`<th scope="col">${name}</th>`)}
      </tr>
    </thead>
    <tbody>
      ${rows.map(
        (row) =>
          html`<tr>
            ${row.map((cell) => html`<td>${cell}</td>`)}
          </tr>`,
      )}
    </tbody>
  </table>`;
}

const STYLE = `body{font:15px/1.45 system-ui,'Noto Sans KR','Malgun Gothic',sans-serif;color:#151a21;margin:0 auto;max-width:1100px;padding:24px;overflow-wrap:anywhere}
header{border-left:8px solid;padding:4px 18px;margin-bottom:20px}header p{margin:0;color:#545f6d}h1{margin:0;font-size:1.9rem}
.good{border-color:#0d6e40}.good h1{color:#0d6e40}.warn{border-color:#7d4d00}.warn h1{color:#7d4d00}.bad{border-color:#a81a26}.bad h1{color:#a81a26}.grey{border-color:#475260}.grey h1{color:#475260}
h2{margin:28px 0 8px}h3{margin:24px 0 6px;font-size:1rem}
dl{display:grid;grid-template-columns:repeat(auto-fit,minmax(220px,1fr));gap:10px 24px;margin:0}dt{color:#545f6d;font-size:.85rem}dd{margin:0}
table{border-collapse:collapse;width:100%;font-size:.9rem}th,td{text-align:left;vertical-align:top;padding:5px 12px 5px 0;border-bottom:1px solid #dde2e8}th{color:#545f6d;font-weight:500}
details{margin-top:32px}pre{white-space:pre-wrap;font-size:.8rem}footer{color:#545f6d;margin-top:24px}
@media print{body{padding:0;max-width:none}tr{break-inside:avoid}details{display:none}}`;
