import type { FleetSystem, FleetView } from '../state/fleet-view.ts';
import type { GroupStanding } from '../state/groups.ts';
import { Html, html } from '../report/html.ts';
import { ageOf, firstReason, lossOf, systemLink, timeAt, tone, verdictChip } from './parts.ts';
import type { Words } from './words.ts';

/** Systems that come one after the other; of a group if they are of one with others. */
interface Run {
  readonly group: GroupStanding | null;
  readonly systems: readonly FleetSystem[];
}

/** The order to promote in. `decided`: of each system what was decided last, as one line. */
export function cutoverMain(
  view: FleetView,
  decided: ReadonlyMap<string, Html>,
  problem: Html | null,
  words: Words,
): Html {
  return html`
    <h1>${words.order}</h1>
    <p class="sub">${words.orderHint} ${words.noButton}</p>
    ${problem}
    <ol class="order">
      ${runsOf(view).map(({ group, systems }) =>
        group === null
          ? systems.map((system) => step(system, decided, words))
          : groupSteps(group, systems, view.at, decided, words),
      )}
    </ol>
  `;
}

/** A group is in several runs where a dependency leads out of it and into it again. */
function runsOf({ systems }: FleetView): readonly Run[] {
  const runs: { group: GroupStanding | null; systems: FleetSystem[] }[] = [];
  for (const system of systems) {
    const last = runs.at(-1);
    if (last !== undefined && last.group === system.group) last.systems.push(system);
    else runs.push({ group: system.group, systems: [system] });
  }
  return runs;
}

function groupSteps(
  group: GroupStanding,
  members: readonly FleetSystem[],
  now: Date,
  decided: ReadonlyMap<string, Html>,
  words: Words,
): Html {
  return html`<li class="group ${tone(group.verdict)}">
    <div class="group-head">
      <h2>${words.group} ${group.name}</h2>
      ${verdictChip(group.verdict, words)}
      <p class="sub">${group.why === null ? null : words.groupWhy[group.why]}</p>
    </div>
    ${members.length < group.members.length ? html`<p class="sub">${words.groupInParts}</p>` : null}
    <p>${skewText(group, words)}</p>
    ${
      group.commonPointAt === null
        ? null
        : html`<p>
            ${words.commonPoint}: ${timeAt(group.commonPointAt.toISOString(), now)} ·
            ${ageOf(group.commonPointAt.toISOString(), now, words)}
          </p>`
    }
    ${group.ahead.map(
      ({ consumer, producer, ms }) =>
        html`<p class="bad">${words.isAhead(consumer, producer, words.time(ms))}</p>`,
    )}
    <ol>
      ${members.map((system) => step(system, decided, words))}
    </ol>
  </li>`;
}

function skewText({ skewMs, maxSkewMs }: GroupStanding, words: Words): string {
  if (skewMs === null) return words.skewUnknown;
  const objective = maxSkewMs === null ? '' : ` (${words.objective} ${words.time(maxSkewMs)})`;
  return `${words.skew}: ${words.time(skewMs)}${objective}`;
}

function step(
  { config, standing, place, blockers }: FleetSystem,
  decided: ReadonlyMap<string, Html>,
  words: Words,
): Html {
  const { name, fleet } = config;
  const { best, verdict, doubt } = standing;
  const why = doubt === null ? (best === null ? null : firstReason(best, words)) : words.doubt[doubt];
  return html`<li
    class="step ${tone(verdict)}"
    value="${place}"
    data-system="${name}"
    data-verdict="${verdict}"
  >
    <span class="place">${place}</span>
    <span class="verdict">${verdictChip(verdict, words)}</span>
    <span class="what"
      ><a href="${systemLink(name)}"><strong>${fleet.title ?? name}</strong></a>
      <span class="sub"
        >${[fleet.tier === null ? null : `${words.tier} ${fleet.tier}`, fleet.owner]
          .filter((one) => one !== null)
          .join(' · ')}</span
      >
      ${why === null ? null : html`<span class="why">${why}</span>`}
      ${
        blockers.length === 0
          ? null
          : html`<span class="waits"
              >${words.waitsFor}:
              ${blockers.map(
                (one) => html`<a class="blocker" href="${systemLink(one.name)}">${one.name}</a> `,
              )}</span
            >`
      }
    </span>
    <span class="cell"><span class="label">${words.candidate}</span>${best?.name ?? '–'}</span>
    <span class="cell"
      ><span class="label">${words.loss}</span>${best === null ? words.unknown : lossOf(best, words)}</span
    >
    <span class="cell"
      ><span class="label">${words.decisions}</span
      >${decided.get(name) ?? html`<a href="${systemLink(name)}#decide">${words.decide}</a>`}</span
    >
  </li>`;
}
