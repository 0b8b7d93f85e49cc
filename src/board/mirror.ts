import { Html, html } from '../report/html.ts';
import { bytesText } from '../report/quantity.ts';
import type { SystemStanding } from '../state/standing.ts';
import { ageOf, timeAt } from './parts.ts';
import type { Words } from './words.ts';

/** What could be rebuilt of the ledger if the site that watches were lost too; null: it is not to be mirrored. */
export function ledgerMirror({ state, fresh }: SystemStanding, now: Date, words: Words): Html | null {
  const mirror = state?.mirror ?? null;
  if (mirror === null) return null;
  const { topic, reachedAt, bytesBehind, tablesMissing, trouble } = mirror;
  const rebuilt =
    reachedAt === null
      ? html`<strong class="bad">${words.notRebuildable}</strong>`
      : html`${words.rebuildableAsOf} ${timeAt(reachedAt, now)} · ${ageOf(reachedAt, now, words)}`;
  const behind =
    bytesBehind === null || bytesBehind === '0' ? null : words.notMirrored(bytesText(BigInt(bytesBehind)));
  return html`<section>
    <h2>${words.mirror}</h2>
    <p>
      ${fresh ? rebuilt : words.unknown}${topic === null ? null : html` <span class="sub">${topic}</span>`}
    </p>
    ${fresh && behind !== null ? html`<p>${behind}</p>` : null}
    ${
      fresh && tablesMissing !== null && tablesMissing > 0
        ? html`<p>${words.tablesNotRebuilt(String(tablesMissing))}</p>`
        : null
    }
    ${
      fresh && trouble !== null
        ? html`<p class="problem" lang="en">
            ${trouble.message} <span class="sub"><code>${trouble.code}</code></span>
            ${ageOf(trouble.since, now, words)}
          </p>`
        : null
    }
  </section>`;
}
