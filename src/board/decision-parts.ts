import type { FleetSystem } from '../state/fleet-view.ts';
import { CHOICES, type Decision } from './decisions.ts';
import { Html, html } from '../report/html.ts';
import type { PageContext } from './layout.ts';
import { lossOf, systemLink, timeAt } from './parts.ts';
import { WORDS } from './languages.ts';
import type { Words } from './words.ts';

/** What was decided about a system. `decisions` null: none are recorded here. */
export function decisionList(decisions: readonly Decision[] | null, context: PageContext): Html {
  const words = WORDS[context.language];
  if (decisions === null) return html`<p class="quiet">${words.decisionsOff}</p>`;
  if (decisions.length === 0) return html`<p class="quiet">${words.noDecisions}</p>`;
  return html`<ol class="decisions">
    ${decisions.map((one) => decisionItem(one, context, words))}
  </ol>`;
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

/** The newest decision on one line. */
export function decisionLine({ decision, proposedBy, approvedBy, system }: Decision, words: Words): Html {
  const people = approvedBy === null ? `${proposedBy} · ${words.awaiting}` : `${proposedBy} + ${approvedBy}`;
  return html`<a href="${systemLink(system)}#decide"><strong>${words.decision[decision]}</strong></a>
    <span class="sub">${people}</span>`;
}

function decisionItem(decision: Decision, { person, now }: PageContext, words: Words): Html {
  const { id, at, proposedBy, approvedBy, approvedAt, reason, lossAccepted, shown, fencedAt, fencedBy } =
    decision;
  const mayApprove = approvedBy === null && person?.role === 'approver' && person.name !== proposedBy;
  return html`<li>
    <p>
      <strong>${words.decision[decision.decision]}</strong> ${decision.candidate}
      <span class="sub">${timeAt(at, now)}</span>
    </p>
    <p>
      ${words.proposedBy} ${proposedBy}.
      ${
        approvedBy === null || approvedAt === null
          ? words.awaiting
          : html`${words.approvedBy} ${approvedBy} (${timeAt(approvedAt, now)})`
      }
    </p>
    <p>${words.lossAccepted}: ${lossAccepted === '' ? '–' : lossAccepted}. ${words.reason}: ${reason}</p>
    ${fencedAt === null ? null : html`<p>${words.fencedAt} ${fencedAt}, ${words.fencedBy} ${fencedBy}</p>`}
    <p class="sub">${words.decidedOn}: <code>${shown.verdict}</code> ${shown.candidate} ${shown.decidedAt}</p>
    ${
      mayApprove
        ? html`<form method="post" action="/decisions/${encodeURIComponent(id)}/approve">
            <button type="submit">${words.approve}</button>
          </form>`
        : null
    }
  </li>`;
}

function form({ config, standing }: FleetSystem, words: Words): Html {
  const best = standing.best;
  const candidates = config.candidates.map(({ name }) => name);
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
        ${candidates.map(
          (name) =>
            html`<option value="${name}" ${name === best?.name ? new Html('selected') : null}>
              ${name}
            </option>`,
        )}
      </select></label
    >
    <label
      >${words.lossAccepted}
      <input
        name="lossAccepted"
        maxlength="500"
        value="${best === null ? words.unknown : lossOf(best, words)}"
    /></label>
    <label>${words.reason} <textarea name="reason" rows="3" maxlength="4000" required></textarea></label>
    <label
      >${words.fencedAt} <input name="fencedAt" maxlength="40" placeholder="2026-03-01T02:00:00Z"
    /></label>
    <label>${words.fencedBy} <input name="fencedBy" maxlength="200" /></label>
    <button type="submit">${words.record}</button>
  </form>`;
}
