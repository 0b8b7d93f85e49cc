import type { FleetSystem, FleetView } from '../state/fleet-view.ts';
import { isPromotable } from '../state/lapse.ts';
import type { CandidateStanding } from '../state/standing.ts';
import type { VerdictJson } from '../verdict/json.ts';
import { candidatesTable } from './candidates-table.ts';
import { checkedReadiness, differenceList } from './findings.ts';
import { Html, html } from '../report/html.ts';
import { ageOf, groupNote, lossText, systemLink, timeAt, tone, verdictChip, verdictIcon } from './parts.ts';
import { lagChart } from './sparkline.ts';
import type { Words } from './words.ts';

/** Everything about one system: the answer first, then why. `decisions`: as decisionList makes them. */
export function systemMain(system: FleetSystem, view: FleetView, decisions: Html, words: Words): Html {
  const { standing } = system;
  const verdict = standing.best?.candidate.verdict ?? null;
  return html`
    ${hero(system, view.at, words)}
    ${standing.doubt === null && verdict !== null ? reasonGroups(verdict, words) : null}
    ${
      standing.candidates.length === 0
        ? null
        : html`<section>
            <h2>${words.candidates}</h2>
            ${candidatesTable(system, view.at, words)}
          </section>`
    }
    ${standing.candidates.map((candidate) => differenceList(candidate, view.at, words))}
    ${standing.candidates.map((candidate) => history(candidate, system.config.policy.rpo, words))}
    ${verdict === null ? null : proven(verdict, words)}
    ${standing.candidates.map((candidate) => checkedReadiness(candidate, view.at, words))}
    ${relations(system, view, words)} ${certificates(system, words)} ${schedules(system, view.at, words)}
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
  const { title, owner, tier } = config.fleet;
  const facts = [
    title === null ? null : config.name,
    tier === null ? null : `${words.tier} ${tier}`,
    owner === null ? null : `${words.owner}: ${owner}`,
  ].filter((one) => one !== null);
  return html`<section class="hero ${tone(verdict)}" data-verdict="${verdict}">
    <div class="answer">
      ${verdictIcon(verdict)}
      <div>
        <p class="sub">${facts.join(' · ')}</p>
        <h1>${title ?? config.name}</h1>
        <p class="verdict-word">${words.verdict[verdict].word} <code>${verdict}</code></p>
        <p class="meaning">
          ${doubt === null ? words.verdict[verdict].meaning : `${words.doubt[doubt]}.`} ${standing.problem}
          ${groupNote(system, words)}
        </p>
        ${
          best === null || !isPromotable(verdict)
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
      ${outlook(best, doubt === null, words)}
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

function outlook(best: CandidateStanding | null, holds: boolean, words: Words): Html | null {
  const assumed = holds ? (best?.candidate.outlook ?? null) : null;
  if (assumed === null) return null;
  return fact(
    words.onceFenced,
    html`${verdictChip(assumed.verdict, words)} ${words.loss}: ${lossText(assumed, words)}
      <span class="sub">${words.onceFencedHint}</span>`,
  );
}

function primaryText({ fresh, state }: FleetSystem['standing'], now: Date, words: Words): Html {
  if (state === null || !fresh) return html`${words.unknown}`;
  const { state: how, message, witnessedUntil, site } = state.primary;
  return html`${site === null ? null : `${site}: `}${words.primary[how]}${message === null ? null : ` (${message})`}
  ${witnessedUntil === null ? null : html` · ${words.witnessed} ${ageOf(witnessedUntil, now, words)}`}`;
}

type Reason = VerdictJson['reasons'][number];
type GroupName = keyof Words['reasons'];

function groupOf({ effect, severity }: Reason): GroupName {
  if (effect !== 'none') return effect;
  return severity === 'info' ? 'note' : 'warning';
}

const GROUPS: readonly GroupName[] = ['not-safe', 'unknown', 'loss', 'warning', 'note'];

function reasonGroups({ reasons }: VerdictJson, words: Words): Html {
  if (reasons.length === 0) return html`<p class="quiet">${words.noReasons}</p>`;
  return html`<section class="reasons">
    <h2>${words.why}</h2>
    ${GROUPS.map((group) => {
      const held = reasons.filter((reason) => groupOf(reason) === group);
      if (held.length === 0) return null;
      return html`<details ${group === 'note' ? null : new Html('open')} id="reasons-${group}">
        <summary class="reason-${group}">${words.reasons[group]} <small>${held.length}</small></summary>
        <ul>
          ${held.map(
            ({ message, subject, hint, code }) =>
              html`<li>
                <p>
                  ${message} <span class="sub">${subject} · <code>${code}</code></span>
                </p>
                ${hint === '' ? null : html`<p class="hint">${hint}</p>`}
              </li>`,
          )}
        </ul>
      </details>`;
    })}
  </section>`;
}

function history({ candidate }: CandidateStanding, rpoMs: number | null, words: Words): Html | null {
  if (candidate.samples.length < 2) return null;
  return html`<section>
    <h2>${words.lagHistory}: ${candidate.name}</h2>
    ${lagChart(candidate.samples, rpoMs, words)}
  </section>`;
}

function proven({ coverage, notProven }: VerdictJson, words: Words): Html {
  return html`<section>
    <h2>${words.coverage}</h2>
    <p>
      ${words.compared(String(coverage.compared), String(coverage.tables))}${
        coverage.excluded.length === 0
          ? null
          : html` · ${words.excluded}: ${coverage.excluded.map(({ table }) => table).join(', ')}`
      }
    </p>
    ${
      notProven.length === 0
        ? null
        : html`<details id="not-proven">
            <summary>${words.notProven} <small>${notProven.length}</small></summary>
            <ul>
              ${notProven.map(
                ({ subject, message, code }) =>
                  html`<li>
                    ${subject}: ${message} <span class="sub"><code>${code}</code></span>
                  </li>`,
              )}
            </ul>
          </details>`
    }
  </section>`;
}

function relations({ config }: FleetSystem, view: FleetView, words: Words): Html | null {
  const { dependsOn, group } = config.fleet;
  const neededBy = view.systems.filter((one) => one.config.fleet.dependsOn.includes(config.name));
  if (dependsOn.length === 0 && neededBy.length === 0 && group === null) return null;
  const links = (names: readonly string[]): readonly Html[] =>
    names.map((name) => {
      const verdict = view.systems.find((one) => one.config.name === name)?.standing.verdict ?? 'UNKNOWN';
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

function certificates({ config, standing }: FleetSystem, words: Words): Html {
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
