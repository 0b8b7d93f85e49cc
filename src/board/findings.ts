import { html, type Html } from '../report/html.ts';
import type { CandidateStanding } from '../state/standing.ts';
import type { CheckedState } from '../state/schema.ts';
import { ageOf, readinessText, reasonText, timeAt } from './parts.ts';
import type { Words } from './words.ts';

/** The first rows of a candidate that are known to differ, by their keys. Null: none is. */
export function differenceList({ candidate }: CandidateStanding, now: Date, words: Words): Html | null {
  const { name, rows } = candidate;
  if (rows === null || rows.differences === 0) return null;
  const all = `${rows.differences}${rows.more ? '+' : ''}`;
  const counted = rows.tables.map(({ table, differences }) => `${table}: ${differences}`).join(' · ');
  return html`<section class="differences">
    <h2>${words.differences}: ${name}</h2>
    <p>
      <strong class="bad">${words.differentRows(all)}</strong>
      <span class="sub">${counted}</span>
    </p>
    ${
      rows.listed.length === 0
        ? null
        : html`<div class="scroll" tabindex="0" role="region" aria-label="${words.differences}: ${name}">
            <table>
              <thead>
                <tr>
                  ${[words.table, words.key, words.kind, words.digest, words.firstSeen].map(
                    (title) => html`<th scope="col">${title}</th>`,
                  )}
                </tr>
              </thead>
              <tbody>
                ${rows.listed.map(
                  ({ table, key, kind, digest, firstSeenAt }) =>
                    html`<tr>
                      <td>${table}</td>
                      <td><code>${key}</code></td>
                      <td>${words.differenceKind[kind]}</td>
                      <td>${digest === null ? '–' : html`<code>${digest}</code>`}</td>
                      <td>${timeAt(firstSeenAt, now)}</td>
                    </tr>`,
                )}
              </tbody>
            </table>
          </div>`
    }
  </section>`;
}

/** Tables of a candidate of which something is not proven. Null: there are none. */
export function unprovenList({ candidate }: CandidateStanding, words: Words): Html | null {
  const { name, rows } = candidate;
  if (rows === null || rows.unproven.length === 0) return null;
  const more = rows.unprovenTables > rows.unproven.length ? ' …' : '';
  return html`<section>
    <h2>${words.unprovenTables(String(rows.unprovenTables))}: ${name}</h2>
    <p class="tables">${rows.unproven.join(', ')}${more}</p>
  </section>`;
}

/** What the last scheduled run of readiness has found of a candidate. Null: there was none. */
export function checkedReadiness({ candidate }: CandidateStanding, now: Date, words: Words): Html | null {
  const { name, checked } = candidate;
  if (checked === null) return null;
  return html`<section class="checked">
    <h2>${words.readinessRun}: ${name}</h2>
    <p>${readinessText(checked, words)} · ${timeAt(checked.at, now)} · ${ageOf(checked.at, now, words)}</p>
    ${
      checked.count === 0
        ? html`<p class="quiet">${words.nothingFound}</p>`
        : html`<details id="checked-${name}">
            <summary>${words.found} <small>${checked.count}</small></summary>
            <ul>
              ${checked.findings.map(
                ({ code, state, severity, subject, message, hint }) =>
                  html`<li>
                    <p>
                      ${reasonText({ code, message }, words)}
                      <span class="sub"
                        >${subject} · <code>${code}</code> ·
                        ${state === 'unknown' ? words.notChecked : modesText(severity, words)}</span
                      >
                    </p>
                    ${hint === '' ? null : html`<p class="hint" lang="en">${hint}</p>`}
                  </li>`,
              )}
            </ul>
          </details>`
    }
  </section>`;
}

const MODES = ['switchover', 'failover'] as const;

function modesText(severity: CheckedState['findings'][number]['severity'], words: Words): string {
  return MODES.map((mode) => `${words.mode[mode]}: ${words.severity[severity[mode]]}`).join(', ');
}
