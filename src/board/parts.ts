import type { FleetSystem } from '../state/fleet-view.ts';
import { isPromotable } from '../state/lapse.ts';
import type { CheckedState } from '../state/schema.ts';
import type { CandidateStanding } from '../state/standing.ts';
import type { VerdictJson } from '../verdict/json.ts';
import type { VerdictWord } from '../verdict/verdict.ts';
import { Html, html } from '../report/html.ts';
import type { Words } from './words.ts';

/** A word and a shape of its own for each: nobody has to see red from green. */
const SHAPES: Readonly<Record<VerdictWord, string>> = {
  SAFE: '<circle cx="12" cy="12" r="10"/><path d="M7.5 12.5l3 3 6-7"/>',
  SAFE_WITH_LOSS: '<path d="M12 2.5L22 20.5H2z"/><path d="M12 9.5v5M12 17.2v.6"/>',
  NOT_SAFE: '<path d="M8 2h8l6 6v8l-6 6H8l-6-6V8z"/><path d="M8.5 8.5l7 7M15.500 8.500l-7 7"/>',
  UNKNOWN:
    '<rect x="2.500" y="2.500" width="19" height="19" rx="4"/><path d="M9 9.500a3 3 0 1 1 4.300 2.700c-.9.400-1.300 1-1.300 2M12 17v.6"/>',
};

export function verdictIcon(verdict: VerdictWord): Html {
  return new Html(`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true">${SHAPES[verdict]}</svg>`);
}

/** The class by which a verdict is coloured. */
export function tone(verdict: VerdictWord): string {
  return { SAFE: 'safe', SAFE_WITH_LOSS: 'loss', NOT_SAFE: 'not', UNKNOWN: 'unknown' }[verdict];
}

export function verdictChip(verdict: VerdictWord, words: Words): Html {
  return html`<span class="chip ${tone(verdict)}"
    >${verdictIcon(verdict)}<span class="word">${words.verdict[verdict].word}</span></span
  >`;
}

/** `2026-03-01 03:04:05`, or without the day where that is today's. Times are UTC, as the page says at its top. */
export function timeAt(time: string, now: Date): Html {
  const date = new Date(time);
  const text = date.toISOString().slice(0, 19).replace('T', ' ');
  const today = now.toISOString().slice(0, 10);
  const shown = text.startsWith(today) ? text.slice(11) : text;
  return html`<time datetime="${date.toISOString()}" title="${text} UTC">${shown}</time>`;
}

/** How long ago it was; the page counts on by itself. */
export function ageOf(time: string, now: Date, words: Words): Html {
  const ms = now.getTime() - Date.parse(time);
  return html`<time datetime="${new Date(time).toISOString()}" data-age
    >${words.ago(words.time(Math.max(0, ms)))}</time
  >`;
}

/** What a promotion would lose, in a few words. */
export function lossText({ loss, rpo }: Pick<VerdictJson, 'loss' | 'rpo'>, words: Words): string {
  if (loss.kind === 'none') return words.nothing;
  if (loss.kind === 'unknown') return words.unknown;
  const lost = loss.transactions === null ? '' : ` · ${words.transactions(loss.transactions)}`;
  if (loss.kind === 'unbounded') return `${words.unbounded}${lost}${lost === '' ? '' : '+'}`;
  return `${rpo.boundMs === null ? words.unknown : words.atMost(words.time(rpo.boundMs))}${lost}`;
}

/** The loss of a verdict that holds; otherwise it is unknown. */
export function lossOf({ doubt, candidate }: CandidateStanding, words: Words): string {
  return doubt === null && candidate.verdict !== null ? lossText(candidate.verdict, words) : words.unknown;
}

/** What is proven of a candidate's rows, the gravest first. */
export function proofOf({ doubt, candidate }: CandidateStanding, now: Date, words: Words): Html {
  const { rows } = candidate;
  if (doubt !== null && doubt !== 'expired' && doubt !== 'none') return html`${words.unknown}`;
  if (rows === null) return html`${words.unknown}`;
  if (rows.differences > 0) {
    return html`<strong class="bad"
      >${words.differentRows(`${rows.differences}${rows.more ? '+' : ''}`)}</strong
    >`;
  }
  if (rows.provenAt === null) {
    // Of a stranger no table was looked at, and none counts as proven.
    const { unprovenTables } = rows;
    return html`${unprovenTables === 0 ? words.integrity.unproven : words.unprovenTables(String(unprovenTables))}`;
  }
  return html`${words.allProven} · ${ageOf(rows.provenAt, now, words)}`;
}

/** Whether a candidate is ready, in each mode of promotion. */
export function readinessText(
  readiness: Pick<CheckedState, 'switchover' | 'failover'>,
  words: Words,
): string {
  const modes = ['switchover', 'failover'] as const;
  return modes
    .map((mode) => {
      const { word, blocking } = readiness[mode];
      const count = blocking > 0 ? ` (${words.blocking(String(blocking))})` : '';
      return `${words.mode[mode]}: ${words.readyWord[word]}${count}`;
    })
    .join(' · ');
}

/** The first reason that keeps the verdict from being better; null: there is none. */
export function firstReason(standing: CandidateStanding, words: Words): Html | null {
  const reasons = standing.doubt === null ? (standing.candidate.verdict?.reasons ?? []) : [];
  const first = reasons.find(({ effect }) => effect !== 'none');
  if (first === undefined) return null;
  const title = words.reasonTitle(first.code);
  return title === null ? html`${first.message}` : html`<span title="${first.message}">${title}</span>`;
}

/** What speaks for or against it: in the language of the page as far as that has words for it, then in its own. */
export function reasonText({ code, message }: { code: string; message: string }, words: Words): Html {
  const title = words.reasonTitle(code);
  return title === null
    ? html`<span lang="en">${message}</span>`
    : html`<strong>${title}</strong> <span class="sub" lang="en">${message}</span>`;
}

/** What may be done with a system: it cannot be promoted by itself while its group must not be. */
export function actionable({ standing, group }: FleetSystem): VerdictWord {
  return group === null || isPromotable(group.verdict) || !isPromotable(standing.verdict)
    ? standing.verdict
    : group.verdict;
}

/** That its group stands in the way of a system which by itself could be promoted; null: it does not. */
export function groupNote(system: FleetSystem, words: Words): Html | null {
  const { standing, group } = system;
  if (group === null || actionable(system) === standing.verdict) return null;
  const why = group.why === null ? '' : `: ${words.groupWhy[group.why]}`;
  return html`<span class="why ${tone(group.verdict)}"
    >${words.group} ${group.name} – ${words.verdict[group.verdict].word}${why}</span
  >`;
}

export function systemLink(name: string): string {
  return `/systems/${encodeURIComponent(name)}`;
}
