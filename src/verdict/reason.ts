import type { Reason } from '../compare/result.ts';

/**
 * What a reason does to the verdict. `not-safe`: alone makes it NOT_SAFE. `unknown`: alone keeps it from SAFE.
 * `loss`: makes it SAFE_WITH_LOSS at best. `none`: worth knowing.
 */
export type Effect = 'not-safe' | 'unknown' | 'loss' | 'none';

/** The severity follows the effect: `block` for not-safe, `warn` for unknown and loss, and the finder's own for none. */
export interface VerdictReason extends Reason {
  readonly effect: Effect;
}

export type ReasonText = Omit<Reason, 'severity'>;

export function notSafe(text: ReasonText): VerdictReason {
  return { ...text, severity: 'block', effect: 'not-safe' };
}

export function unproven(text: ReasonText): VerdictReason {
  return { ...text, severity: 'warn', effect: 'unknown' };
}

export function acceptedLoss(text: ReasonText): VerdictReason {
  return { ...text, severity: 'warn', effect: 'loss' };
}

export function note(text: ReasonText, severity: 'warn' | 'info'): VerdictReason {
  return { ...text, severity, effect: 'none' };
}
