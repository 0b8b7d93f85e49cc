import type { VerdictJson } from '../verdict/json.ts';
import { Html, html } from '../report/html.ts';
import { reasonText } from './parts.ts';
import type { Words } from './words.ts';

type Reason = VerdictJson['reasons'][number];
type GroupName = keyof Words['reasons'];

function groupOf({ effect, severity }: Reason): GroupName {
  if (effect !== 'none') return effect;
  return severity === 'info' ? 'note' : 'warning';
}

const GROUPS: readonly GroupName[] = ['not-safe', 'unknown', 'loss', 'warning', 'note'];

/** Why a verdict is what it is, the gravest first. */
export function reasonGroups({ reasons }: VerdictJson, words: Words): Html {
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
                  ${reasonText({ code, message }, words)}
                  <span class="sub">${subject} · <code>${code}</code></span>
                </p>
                ${hint === '' ? null : html`<p class="hint" lang="en">${hint}</p>`}
              </li>`,
          )}
        </ul>
      </details>`;
    })}
  </section>`;
}

/** What was compared, and what a verdict does not say. */
export function proven({ coverage, notProven }: VerdictJson, words: Words): Html {
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
                    ${reasonText({ code, message }, words)}
                    <span class="sub">${subject} · <code>${code}</code></span>
                  </li>`,
              )}
            </ul>
          </details>`
    }
  </section>`;
}
