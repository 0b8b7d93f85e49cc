import type { Reason } from '../compare/result.ts';
import type { Severity } from '../connector/identity.ts';
import type { Style } from './colour.ts';
import type { Page } from './page.ts';
import { countText } from './quantity.ts';

const SEVERITY_ORDER: readonly Severity[] = ['block', 'warn', 'info'];
const SEVERITY_STYLE: Readonly<Record<Severity, Style>> = { block: 'red', warn: 'yellow', info: 'dim' };
const SUBJECTS_SHOWN_MAX = 8;

interface ReasonGroup {
  readonly reason: Reason;
  readonly subjects: readonly string[];
  /** The reason's hint; empty where the next group has the same one, which then stands behind the last of them. */
  readonly advice: string;
}

/** Reasons that say the same of several subjects are one; the weightiest first. */
export function groupReasons(reasons: readonly Reason[]): readonly ReasonGroup[] {
  const groups = new Map<string, { reason: Reason; subjects: Set<string> }>();
  for (const reason of reasons) {
    const id = JSON.stringify([reason.severity, reason.code, reason.message, reason.hint]);
    const group = groups.get(id) ?? { reason, subjects: new Set<string>() };
    if (reason.subject !== '') group.subjects.add(reason.subject);
    groups.set(id, group);
  }
  const ordered = [...groups.values()].sort(
    (a, b) => SEVERITY_ORDER.indexOf(a.reason.severity) - SEVERITY_ORDER.indexOf(b.reason.severity),
  );
  return ordered.map(({ reason, subjects }, index) => ({
    reason,
    subjects: [...subjects],
    advice: ordered[index + 1]?.reason.hint === reason.hint ? '' : reason.hint,
  }));
}

export function writeReasons(page: Page, reasons: readonly Reason[], all: boolean): void {
  const groups = groupReasons(reasons);
  if (groups.length === 0) return;
  page.heading('Reasons');
  for (const { reason, subjects, advice } of groups) {
    const icon = page.paint(SEVERITY_STYLE[reason.severity], page.icons[reason.severity]);
    page.paragraph(`${reason.message} (${reason.code})`, { first: `  ${icon} ` });
    if (subjects.length > 0) page.paragraph(subjectsText(subjects, all), { first: '    ', style: 'dim' });
    if (advice !== '') page.paragraph(advice, { first: `    ${page.icons.next} ` });
  }
}

export function subjectsText(subjects: readonly string[], all: boolean): string {
  const shown = all ? subjects : subjects.slice(0, SUBJECTS_SHOWN_MAX);
  const more = subjects.length - shown.length;
  return shown.join(', ') + (more > 0 ? ` and ${countText(more)} more` : '');
}
