import type { FleetSystem, FleetView } from '../state/fleet-view.ts';
import { isPromotable } from '../state/lapse.ts';
import type { CandidateStanding } from '../state/standing.ts';
import { candidatesTable } from './candidates-table.ts';
import { checkedReadiness, differenceList, unprovenList } from './findings.ts';
import { html, type Html } from '../report/html.ts';
import { ledgerMirror } from './mirror.ts';
import {
  actionable,
  ageOf,
  groupNote,
  lossText,
  systemLink,
  timeAt,
  tone,
  verdictChip,
  verdictIcon,
} from './parts.ts';
import { proven, reasonGroups } from './reasons.ts';
import { lagChart } from './sparkline.ts';
import type { Words } from './words.ts';

/** Everything about one system: the answer first, then why. `decisions`: as decisionList makes them. */
export function systemMain(system: FleetSystem, view: FleetView, decisions: Html, words: Words): Html {
  const { standing } = system;
  const verdict = standing.doubt === null ? (standing.best?.candidate.verdict ?? null) : null;
  const isGroupAlone = actionable(system) !== standing.verdict && verdict?.reasons.length === 0;
  return html`
    ${hero(system, view.at, words)} ${verdict === null || isGroupAlone ? null : reasonGroups(verdict, words)}
    ${
      standing.candidates.length === 0
        ? null
        : html`<section>
            <h2>${words.candidates}</h2>
            ${candidatesTable(system, view.at, words)}
          </section>`
    }
    ${standing.candidates.map((candidate) => differenceList(candidate, view.at, words))}
    ${standing.candidates.map((candidate) => unprovenList(candidate, words))}
    ${standing.candidates.map((candidate) => history(candidate, system.config.policy.rpo, words))}
    ${verdict === null ? null : proven(verdict, words)}
    ${standing.candidates.map((candidate) => checkedReadiness(candidate, view.at, words))}
    ${relations(system, view, words)} ${ledgerMirror(standing, view.at, words)}
    ${certificates(system, view.at, words)} ${schedules(system, view.at, words)}
    <section>
      <h2>${words.decisions}</h2>
      ${decisions}
    </section>
    <p><a href="/api/v1/systems/${encodeURIComponent(system.config.name)}">${words.json}</a></p>
  `;
}

function hero(system: FleetSystem, now: Date, words: Words): Html {
  const { config, standing } = system;
  const { verdict, best, doubt, state } = standing;
  const shown = doubt === null ? (best?.candidate.verdict ?? null) : null;
  const note = groupNote(system, words);
  const shownWord = actionable(system);
  const { title, owner, tier } = config.fleet;
  const facts = [
    title === null ? null : config.name,
    tier === null ? null : `${words.tier} ${tier}`,
    owner === null ? null : `${words.owner}: ${owner}`,
  ].filter((one) => one !== null);
  return html`<section class="hero ${tone(shownWord)}" data-verdict="${verdict}">
    <div class="answer">
      ${verdictIcon(shownWord)}
      <div>
        <p class="sub">${facts.join(' · ')}</p>
        <h1>${title ?? config.name}</h1>
        <p class="verdict-word">${words.verdict[shownWord].word} <code>${shownWord}</code></p>
        <p class="meaning">
          ${note === null ? null : words.byItself(words.verdict[verdict].word)}
          ${doubt === null ? (note === null ? words.verdict[verdict].meaning : null) : `${words.doubt[doubt]}.`}
          ${standing.problem} ${note}
        </p>
        ${
          best === null || !isPromotable(shownWord)
            ? null
            : html`<p class="take">
                ${words.candidate}:
                <strong>${best.name}</strong
                >${best.candidate.site === null ? null : ` (${best.candidate.site})`}
              </p>`
        }
      </div>
    </div>
    <dl class="facts">
      ${fact(words.loss, shown === null ? words.unknown : lossText(shown, words))}
      ${doubt === null ? outlook(best, now, words) : null}
      ${fact(words.rows, shown === null ? words.unknown : words.integrity[shown.integrity])}
      ${fact(words.primaryLabel, primaryText(standing, now, words))}
      ${fact(words.objectives, objectives(config.policy.rpo, config.fleet.rto, words))}
      ${
        shown === null
          ? null
          : html`${fact(
              words.asOf,
              html`${timeAt(shown.decidedAt, now)} · ${ageOf(shown.decidedAt, now, words)}
              (${words.mode[shown.mode]})`,
            )}
            ${fact(words.expires, timeAt(shown.expiresAt, now))}`
      }
      ${shown === null && state !== null ? fact(words.asOf, ageOf(state.writtenAt, now, words)) : null}
    </dl>
    ${state?.problem == null ? null : html`<p class="problem">${state.problem.message}. ${state.problem.hint}</p>`}
  </section>`;
}

function fact(name: string, value: Html | string): Html {
  return html`<div>
    <dt>${name}</dt>
    <dd>${value}</dd>
  </div>`;
}

function objectives(rpo: number | null, rto: number | null, words: Words): string {
  const said = (name: string, ms: number | null): string => `${name} ${ms === null ? '–' : words.time(ms)}`;
  return rpo === null && rto === null ? words.unknown : `${said('RPO', rpo)} · ${said('RTO', rto)}`;
}

/** It is judged less often than sites are looked at, and judging may take its time: so with its own. */
function outlook(best: CandidateStanding | null, now: Date, words: Words): Html | null {
  const last = best?.candidate.outlook ?? null;
  if (best === null || last === null) return null;
  const { outlook: assumed } = best;
  return fact(
    words.onceFenced,
    html`${verdictChip(assumed?.verdict ?? 'UNKNOWN', words)}
      ${assumed === null ? words.lapsed : html`${words.loss}: ${lossText(assumed, words)}`}
      <span class="sub"
        >${words.asOf} ${timeAt(last.decidedAt, now)} · ${ageOf(last.decidedAt, now, words)}.
        ${words.onceFencedHint}</span
      >`,
  );
}

function primaryText({ fresh, state }: FleetSystem['standing'], now: Date, words: Words): Html {
  if (state === null || !fresh) return html`${words.unknown}`;
  const { state: how, message, witnessedUntil, site } = state.primary;
  return html`${site === null ? null : `${site}: `}${words.primary[how]}${message === null ? null : ` (${message})`}
  ${witnessedUntil === null ? null : html` · ${words.witnessed} ${ageOf(witnessedUntil, now, words)}`}`;
}

function history({ candidate }: CandidateStanding, rpoMs: number | null, words: Words): Html | null {
  if (candidate.samples.length < 2) return null;
  return html`<section>
    <h2>${words.lagHistory}: ${candidate.name}</h2>
    ${lagChart(candidate.samples, rpoMs, words)}
  </section>`;
}

function relations({ config }: FleetSystem, view: FleetView, words: Words): Html | null {
  const { dependsOn, group } = config.fleet;
  const neededBy = view.systems.filter((one) => one.config.fleet.dependsOn.includes(config.name));
  if (dependsOn.length === 0 && neededBy.length === 0 && group === null) return null;
  const links = (names: readonly string[]): readonly Html[] =>
    names.map((name) => {
      const found = view.systems.find((one) => one.config.name === name);
      const verdict = found === undefined ? 'UNKNOWN' : actionable(found);
      return html`<li>${verdictChip(verdict, words)} <a href="${systemLink(name)}">${name}</a></li>`;
    });
  return html`<section class="relations">
    ${
      dependsOn.length === 0
        ? null
        : html`<div>
            <h2>${words.dependsOn}</h2>
            <ul>
              ${links(dependsOn)}
            </ul>
          </div>`
    }
    ${
      neededBy.length === 0
        ? null
        : html`<div>
            <h2>${words.neededBy}</h2>
            <ul>
              ${links(neededBy.map((one) => one.config.name))}
            </ul>
          </div>`
    }
    ${
      group === null
        ? null
        : html`<div>
            <h2>${words.group}</h2>
            <p><a href="/cutover">${group}</a></p>
          </div>`
    }
  </section>`;
}

function certificates({ config, standing }: FleetSystem, now: Date, words: Words): Html {
  const issued = standing.state?.certificates ?? [];
  return html`<section>
    <h2>${words.certificates}</h2>
    ${
      issued.length === 0
        ? html`<p class="quiet">${words.noCertificates}</p>`
        : html`<ul>
            ${issued.map(
              ({ file, verdict, issuedAt, expiresAt }) =>
                html`<li>
                  <a download href="${systemLink(config.name)}/certificates/${encodeURIComponent(file)}"
                    >${file}</a
                  >
                  <code>${verdict}</code>
                  ${
                    Date.parse(expiresAt) > now.getTime()
                      ? null
                      : html`<span class="bad">${words.certificateExpired}</span>`
                  }
                  <span class="sub">${issuedAt} → ${expiresAt}</span>
                </li>`,
            )}
          </ul>`
    }
  </section>`;
}

function schedules({ standing }: FleetSystem, now: Date, words: Words): Html | null {
  const runs = standing.state?.runs ?? [];
  if (runs.length === 0) return null;
  return html`<section>
    <h2>${words.schedules}</h2>
    <div class="scroll" tabindex="0" role="region" aria-label="${words.schedules}">
      <table>
        ${runs.map(
          ({ name, at, zone, startedAt, endedAt, outcome, message, missed, nextAt }) =>
            html`<tr>
              <th scope="row">
                ${name} <span class="sub"><code>${at}</code> ${zone}</span>
              </th>
              <td>
                ${words.lastRun}: ${startedAt === null ? words.never : ageOf(startedAt, now, words)}
                ${startedAt === null ? null : endedAt === null ? words.underWay : null}
              </td>
              <td>
                ${outcome === null ? '–' : words.outcome[outcome]}
                ${message === null ? null : html`<span class="sub">${message}</span>`}
              </td>
              <td>
                ${missed === 0 ? null : html`<strong class="bad">${words.missed(String(missed))}</strong>`}
              </td>
              <td>${words.nextRun}: ${nextAt === null ? words.never : timeAt(nextAt, now)}</td>
            </tr>`,
        )}
      </table>
    </div>
  </section>`;
}
