import { bytesText } from '../report/quantity.ts';
import type { FleetSystem } from '../state/fleet-view.ts';
import type { CandidateStanding } from '../state/standing.ts';
import type { LagState } from '../state/schema.ts';
import { html, type Html } from '../report/html.ts';
import { ageOf, lossOf, proofOf, readinessText, verdictChip } from './parts.ts';
import type { Words } from './words.ts';

interface Line {
  readonly name: string;
  readonly cell: (standing: CandidateStanding) => Html | string;
}

/** The candidates of a system side by side, the best first. */
export function candidatesTable({ standing }: FleetSystem, now: Date, words: Words): Html {
  const { candidates, state, fresh } = standing;
  const best = state?.best ?? null;
  return html`<div class="scroll" tabindex="0" role="region" aria-label="${words.candidates}">
    <table class="candidates">
      <thead>
        <tr>
          <td></td>
          ${candidates.map(
            ({ name }) =>
              html`<th scope="col">
                ${name}${
                  best?.candidate === name && candidates.length > 1
                    ? html` <span class="best" title="${best.why}">${words.best}</span>`
                    : null
                }
              </th>`,
          )}
        </tr>
      </thead>
      <tbody>
        ${lines(fresh, now, words).map(
          ({ name, cell }) =>
            html`<tr>
              <th scope="row">${name}</th>
              ${candidates.map((candidate) => html`<td>${cell(candidate)}</td>`)}
            </tr>`,
        )}
      </tbody>
    </table>
    ${best === null || candidates.length < 2 ? null : html`<p class="sub">${best.candidate}: ${best.why}</p>`}
  </div>`;
}

function lines(fresh: boolean, now: Date, words: Words): readonly Line[] {
  const place = (site: string | null, domain: string | null): string =>
    [site, domain].filter((one) => one !== null).join(' · ') || '–';
  return [
    { name: words.verdictLabel, cell: ({ verdict }) => verdictChip(verdict, words) },
    { name: words.site, cell: ({ candidate }) => place(candidate.site, candidate.faultDomain) },
    { name: words.loss, cell: (standing) => lossOf(standing, words) },
    {
      name: words.recoveryPoint,
      cell: ({ candidate }) =>
        candidate.recoveryPointAt === null || !fresh
          ? words.unknown
          : ageOf(candidate.recoveryPointAt, now, words),
    },
    {
      name: words.transport,
      cell: ({ candidate }) => (fresh ? figure(candidate.lag, 'transport', words) : words.unknown),
    },
    {
      name: words.apply,
      cell: ({ candidate }) => (fresh ? figure(candidate.lag, 'apply', words) : words.unknown),
    },
    { name: words.rows, cell: (standing) => proofOf(standing, now, words) },
    {
      name: words.readiness,
      cell: ({ candidate: { readiness } }) =>
        fresh && readiness !== null ? readinessText(readiness, words) : words.unknown,
    },
    {
      name: words.server,
      cell: ({ candidate }) =>
        candidate.silence === null
          ? candidate.identity === null
            ? words.unknown
            : `${candidate.identity.engine} ${candidate.identity.version}`
          : `${words.silence}: ${candidate.silence}`,
    },
    { name: words.position, cell: ({ candidate }) => html`<code>${candidate.position ?? '–'}</code>` },
  ];
}

function figure(lag: LagState | null, part: 'transport' | 'apply', words: Words): string {
  if (lag === null) return words.unknown;
  const { ms, bytes, transactions } = lag[part];
  return [
    ms === null ? words.unknown : words.time(ms),
    transactions === null ? null : words.transactions(transactions),
    bytes === null ? null : bytesText(BigInt(bytes)),
  ]
    .filter((one) => one !== null)
    .join(' · ');
}
