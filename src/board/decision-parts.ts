import type { FleetSystem } from '../state/fleet-view.ts';
import type { CandidateStanding } from '../state/standing.ts';
import { Html, html } from '../report/html.ts';
import { CHOICES, type Decision, type Shown, verdictOn } from './decision-record.ts';
import type { DecisionFile } from './decisions.ts';
import type { PageContext } from './layout.ts';
import { lossOf, systemLink, timeAt } from './parts.ts';
import { WORDS } from './languages.ts';
import type { Words } from './words.ts';

/** A time as ISO 8601 has it, as the record takes it. */
const TIME_PATTERN = '\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d(:\\d\\d(\\.\\d+)?)?(Z|[+\\-]\\d\\d:\\d\\d)';

/** That the record of decisions cannot be trusted; null: nothing speaks against it. */
export function recordProblem(decisions: DecisionFile | null, words: Words): Html | null {
  if (decisions === null || decisions.problem === null) return null;
  return html`<p class="problem bad" role="alert">
    ${words.recordBroken} <span lang="en">${decisions.problem}.</span>
  </p>`;
}

/** What was decided about a system. `decisions` null: none are recorded here. */
export function decisionList(
  decisions: DecisionFile | null,
  system: FleetSystem,
  context: PageContext,
): Html {
  const words = WORDS[context.language];
  if (decisions === null) return html`<p class="quiet">${words.decisionsOff}</p>`;
  const list = decisions.list(system.config.name);
  return html`${recordProblem(decisions, words)}
  ${
    list.length === 0
      ? html`<p class="quiet">${words.noDecisions}</p>`
      : html`<ol class="decisions">
          ${list.map((one) => decisionItem(one, system, context, words))}
        </ol>`
  }`;
}

/** How to decide: for approvers. It stays as it is while the page around it changes. */
export function decisionForm(system: FleetSystem, isRecorded: boolean, context: PageContext): Html {
  const words = WORDS[context.language];
  const isApprover = context.person?.role === 'approver';
  return html`<section id="decide">
    ${isRecorded ? (isApprover ? form(system, words) : html`<p class="quiet">${words.approverNeeded}</p>`) : null}
    <p class="quiet">${words.noButton}</p>
  </section>`;
}

/** The newest decision on one line; that it was to promote what must not be promoted now stands below it. */
export function decisionLine(newest: Decision, system: FleetSystem, words: Words): Html {
  const { decision, proposedBy, approvedBy } = newest;
  const people = approvedBy === null ? `${proposedBy} · ${words.awaiting}` : `${proposedBy} + ${approvedBy}`;
  return html`<a href="${systemLink(newest.system)}#decide"><strong>${words.decision[decision]}</strong></a>
    <span class="sub">${people}</span>
    ${decision === 'promote' ? changedSince(newest, system, words) : null}`;
}

function decisionItem(
  decision: Decision,
  system: FleetSystem,
  { person, now }: PageContext,
  words: Words,
): Html {
  const { id, at, proposedBy, approvedBy, approvedAt, reason, lossAccepted, fencedAt, fencedBy } = decision;
  const mayApprove = approvedBy === null && person?.role === 'approver' && person.name !== proposedBy;
  return html`<li>
    <p>
      <strong>${words.decision[decision.decision]}</strong> ${decision.candidate}
      <span class="sub">${timeAt(at, now)}</span>
    </p>
    <p>
      ${words.proposedBy} ${proposedBy} ·
      ${
        approvedBy === null || approvedAt === null
          ? words.awaiting
          : html`${words.approvedBy} ${approvedBy} (${timeAt(approvedAt, now)})`
      }
    </p>
    <p>${words.lossAccepted}: ${lossAccepted === '' ? '–' : lossAccepted}. ${words.why}: ${reason}</p>
    ${fencedAt === null ? null : html`<p>${words.fencedAt} ${fencedAt}, ${words.fencedBy} ${fencedBy}</p>`}
    ${shownLines(decision, now, words)} ${approvedBy === null ? changedSince(decision, system, words) : null}
    ${
      mayApprove
        ? html`<form method="post" action="/decisions/${encodeURIComponent(id)}/approve">
            <button type="submit">${words.approve}</button>
          </form>`
        : null
    }
  </li>`;
}

function shownLines({ shown, shownToApprover }: Decision, now: Date, words: Words): Html {
  const line = (name: string, { verdict, candidate, decidedAt, group, blockers }: Shown): Html => {
    const beside = [
      group === null ? null : `${words.group} ${group.name} ${group.verdict}`,
      blockers.length === 0 ? null : `${words.waitsFor}: ${blockers.join(', ')}`,
    ];
    return html`<p class="sub">
      ${name}: <code>${verdict}</code> ${candidate} ${decidedAt === null ? null : timeAt(decidedAt, now)}
      ${beside.filter((one) => one !== null).join(' · ')}
    </p>`;
  };
  return html`${line(words.decidedOn, shown)}
  ${shownToApprover === null ? null : line(words.approvedOn, shownToApprover)}`;
}

/** That it is no longer what the first person decided on. Null: it is. */
function changedSince({ shown, candidate }: Decision, system: FleetSystem, words: Words): Html | null {
  const now = verdictOn(system, candidate);
  return now === shown.verdict
    ? null
    : html`<span class="why not">${words.changedSince(shown.verdict, now)}</span>`;
}

function form(system: FleetSystem, words: Words): Html {
  const { config, standing } = system;
  const { best } = standing;
  return html`<form method="post" action="${systemLink(config.name)}/decisions" class="decide">
    <h3>${words.decide}</h3>
    <fieldset>
      <legend>${words.choice}</legend>
      ${CHOICES.map(
        (choice) =>
          html`<label
            ><input type="radio" name="decision" value="${choice}" required />
            ${words.decision[choice]}</label
          >`,
      )}
    </fieldset>
    <label
      >${words.candidate}
      <select name="candidate">
        ${config.candidates.map(({ name }) => {
          const shown = standing.candidates.find((one) => one.name === name) ?? null;
          return html`<option
            value="${name}"
            data-loss="${lossIn(shown, words)}"
            ${name === best?.name ? new Html('selected') : null}
          >
            ${name} – ${words.verdict[shown?.verdict ?? 'UNKNOWN'].word}
          </option>`;
        })}
      </select></label
    >
    <label
      >${words.lossAccepted} <input name="lossAccepted" maxlength="500" value="${lossIn(best, words)}"
    /></label>
    <label>${words.reason} <textarea name="reason" rows="3" maxlength="4000" required></textarea></label>
    <label
      >${words.fencedAt}
      <input
        name="fencedAt"
        maxlength="40"
        placeholder="2026-03-01T02:00:00Z"
        pattern="${TIME_PATTERN}"
        title="2026-03-01T02:00:00Z"
    /></label>
    <label>${words.fencedBy} <input name="fencedBy" maxlength="200" /></label>
    <button type="submit">${words.record}</button>
  </form>`;
}

function lossIn(standing: CandidateStanding | null, words: Words): string {
  return standing === null ? words.unknown : lossOf(standing, words);
}
