import { tierRanks } from '../config/fleet-order.ts';
import type { FleetSystem, FleetView } from '../state/fleet-view.ts';
import type { VerdictWord } from '../verdict/verdict.ts';
import { Html, html } from '../report/html.ts';
import {
  actionable,
  ageOf,
  firstReason,
  groupNote,
  lossOf,
  lossText,
  proofOf,
  systemLink,
  tone,
  verdictChip,
  verdictIcon,
} from './parts.ts';
import { sparkline } from './sparkline.ts';
import type { Words } from './words.ts';

const VERDICTS: readonly VerdictWord[] = ['NOT_SAFE', 'UNKNOWN', 'SAFE_WITH_LOSS', 'SAFE'];

/** Every system by tier and in the order of promotion. `rows`: by system, as systemRow makes them. */
export function overviewMain(
  view: FleetView,
  tiers: readonly string[],
  rows: ReadonlyMap<string, Html>,
  words: Words,
): Html {
  return html`
    <div id="summary">${summary(view, words)}</div>
    <label class="search"
      ><span class="hidden">${words.filter}</span
      ><input type="search" id="filter" placeholder="${words.filter}" autocomplete="off" />
      <span class="utc">${words.utc}</span>
    </label>
    <p id="no-match" hidden>${words.noMatch}</p>
    <div class="columns" aria-hidden="true">
      <span></span><span>${words.system}</span><span>${words.loss}</span><span>${words.recoveryPoint}</span
      ><span>${words.proof}</span><span>${words.lag}</span>
    </div>
    ${byTier(view, tiers).map(
      ({ tier, systems }) =>
        html`<section class="tier">
          <h2>${tier === null ? words.noTier : `${words.tier} ${tier}`} <small>${systems.length}</small></h2>
          <ul class="systems">
            ${systems.map(({ config }) => rows.get(config.name) ?? null)}
          </ul>
        </section>`,
    )}
    ${
      view.strangers.length === 0
        ? null
        : html`<section>
            <h2>${words.strangers}</h2>
            <p>${view.strangers.join(', ')}</p>
          </section>`
    }
  `;
}

/** How many systems there are of each of VERDICTS. */
export function countsOf({ systems }: FleetView): readonly number[] {
  const counts = new Map<VerdictWord, number>();
  for (const { standing } of systems) counts.set(standing.verdict, (counts.get(standing.verdict) ?? 0) + 1);
  return VERDICTS.map((verdict) => counts.get(verdict) ?? 0);
}

/** How many systems there are of each verdict; each a filter. */
export function summary(view: FleetView, words: Words): Html {
  const counts = countsOf(view);
  return html`<fieldset class="counts">
    <legend class="hidden">${words.all}</legend>
    ${VERDICTS.map(
      (verdict, index) =>
        html`<label class="count ${tone(verdict)}"
          ><input
            type="checkbox"
            class="hidden"
            name="verdict"
            value="${verdict}"
          />${verdictIcon(verdict)}<span class="number">${counts[index] ?? 0}</span
          ><span class="word">${words.verdict[verdict].word}</span></label
        >`,
    )}
  </fieldset>`;
}

function byTier(
  { systems }: FleetView,
  tiers: readonly string[],
): readonly { readonly tier: string | null; readonly systems: readonly FleetSystem[] }[] {
  const ordered = systems.map(({ config }) => config);
  return [...tierRanks(ordered, tiers)]
    .map(([tier]) => ({ tier, systems: systems.filter(({ config }) => config.fleet.tier === tier) }))
    .filter((one) => one.systems.length > 0);
}

/** One system. It is exchanged as a whole when something about it changes. */
export function systemRow(system: FleetSystem, now: Date, words: Words): Html {
  const { config, standing, place, blockers } = system;
  const { name, fleet } = config;
  const { best, verdict } = standing;
  const found = [name, fleet.title, fleet.owner, fleet.tier, fleet.group, config.primary.site]
    .concat(config.candidates.map(({ site }) => site))
    .filter((one) => one !== null)
    .join(' ')
    .toLowerCase();
  return html`<li
    class="row ${tone(actionable(system))}"
    data-system="${name}"
    data-verdict="${verdict}"
    data-find="${found}"
  >
    <span class="verdict"
      >${verdictChip(verdict, words)}
      ${
        actionable(system) === verdict
          ? null
          : html`<span class="in-group">${words.group}: ${verdictChip(actionable(system), words)}</span>`
      }</span
    >
    <span class="what"
      ><span class="place">${place}</span
      ><a href="${systemLink(name)}"><strong>${fleet.title ?? name}</strong></a>
      <span class="sub"
        >${[fleet.title === null ? null : name, fleet.owner].filter((one) => one !== null).join(' · ')}</span
      >
      ${whyLine(standing, words)} ${groupNote(system, words)}
      ${
        blockers.length === 0
          ? null
          : html`<span class="why waits"
              >${words.waitsFor}: ${blockers.map((one) => one.name).join(', ')}</span
            >`
      }
    </span>
    <span class="cell"
      ><span class="label">${words.loss}</span>${best === null ? words.unknown : lossOf(best, words)}
      ${outlookLine(standing, words)}</span
    >
    <span class="cell"
      ><span class="label">${words.recoveryPoint}</span>${pointOf(standing, config.policy.rpo, now, words)}
      ${
        config.policy.rpo === null
          ? null
          : html`<span class="sub">${words.objective} ${words.time(config.policy.rpo)}</span>`
      }</span
    >
    <span class="cell"
      ><span class="label">${words.proof}</span
      >${best === null ? words.unknown : proofOf(best, now, words)}</span
    >
    <span class="cell"
      ><span class="label">${words.lag}</span>${sparkline(
        standing.fresh ? (best?.candidate.samples ?? []) : [],
        config.policy.rpo,
        words,
      )}</span
    >
  </li>`;
}

function whyLine({ doubt, best, verdict }: FleetSystem['standing'], words: Words): Html | null {
  const why = doubt === null ? (best === null ? null : firstReason(best, words)) : words.doubt[doubt];
  return why === null ? null : html`<span class="why ${tone(verdict)}">${why}</span>`;
}

function outlookLine({ doubt, best }: FleetSystem['standing'], words: Words): Html | null {
  if (doubt !== null || best?.candidate.verdict?.loss.kind !== 'unknown') return null;
  const { outlook } = best;
  return html`<span class="sub" title="${words.onceFenced}. ${words.onceFencedHint}"
    >${words.ifLostNow}: ${outlook === null ? words.unknown : lossText(outlook, words)}</span
  >`;
}

function pointOf(
  { fresh, best }: FleetSystem['standing'],
  rpoMs: number | null,
  now: Date,
  words: Words,
): Html {
  const at = fresh ? (best?.candidate.recoveryPointAt ?? null) : null;
  if (at === null) return html`${words.unknown}`;
  const isLate = rpoMs !== null && now.getTime() - Date.parse(at) > rpoMs;
  return isLate ? html`<strong class="late">${ageOf(at, now, words)}</strong>` : ageOf(at, now, words);
}
