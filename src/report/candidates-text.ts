import type { VerdictJson } from '../verdict/json.ts';
import { Page, type TextOptions } from './page.ts';
import { writtenCount } from './quantity.ts';

/** Which of several candidates to promote, and why: stands before the verdicts themselves. */
export function candidatesText(
  verdicts: readonly (VerdictJson & { readonly candidate: string })[],
  why: string,
  options: TextOptions,
): string {
  const page = new Page(options);
  const [best] = verdicts;
  if (best === undefined) return '';
  const promotable = best.verdict === 'SAFE' || best.verdict === 'SAFE_WITH_LOSS';
  const words = promotable
    ? `promote ${best.candidate}`
    : `no candidate can be promoted as it is; the best is ${best.candidate}`;
  page.paragraph(`${words}: ${why}`, {
    first: `${page.paint(promotable ? 'green' : 'yellow', page.icons.next)} `,
    style: 'bold',
  });
  for (const { candidate, verdict, loss } of verdicts) {
    const lost =
      loss.transactions === null ? 'loss unknown' : `${writtenCount(loss.transactions, 'transaction')} lost`;
    page.paragraph(`${candidate}: ${verdict}, ${lost}`, { first: '  - ' });
  }
  return page.toString();
}
