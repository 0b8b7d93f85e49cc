import type { CandidateLag, LagFigure } from '../lag/candidate-lag.ts';
import { Page, type TextOptions } from './page.ts';
import { bytesText, countOf, durationText } from './quantity.ts';

/** One sample of one candidate. */
export interface LagSample {
  readonly candidate: string;
  readonly at: Date;
  readonly lag: CandidateLag;
  readonly state: 'ok' | 'late' | 'unknown';
  /** Why something is unknown, in words. */
  readonly notes: readonly string[];
  /** Everything that the primary had committed by then is in the ledger; null: never seen. */
  readonly witnessedUntil: Date | null;
  readonly objectiveMs: number | null;
  /** From the primary's commit to a log that is not its own, of the newest change; absent: there is no such log. */
  readonly deliveryMs?: number | undefined;
}

const ICONS = { ok: 'same', late: 'warn', unknown: 'unproven' } as const;
const STYLES = { ok: 'green', late: 'yellow', unknown: 'yellow' } as const;

export function lagText(samples: readonly LagSample[], options: TextOptions): string {
  const page = new Page(options);
  for (const { candidate, at, lag, state, notes, witnessedUntil, objectiveMs } of samples) {
    const objective = objectiveMs === null ? '' : ` (objective ${durationText(objectiveMs)})`;
    const behind = lag.total.ms === null ? 'lag unknown' : `${durationText(lag.total.ms)} behind`;
    page.paragraph(`${candidate}: ${behind}${objective}`, {
      first: `${page.paint(STYLES[state], page.icons[ICONS[state]])} `,
      style: 'bold',
    });
    page.fact('transport', words(lag.transport));
    page.fact('apply', words(lag.apply));
    page.fact(
      'witness',
      witnessedUntil === null ? 'the primary was never seen' : witnessedUntil.toISOString(),
    );
    page.fact('sampled', at.toISOString());
    for (const note of notes) page.paragraph(note, { first: `  ${page.icons.info} ` });
  }
  return page.toString();
}

function words({ bytes, transactions, ms }: LagFigure): string {
  if (bytes === null && transactions === null && ms === null) return 'unknown';
  return [
    ms === null ? 'unknown time' : durationText(ms),
    transactions === null ? 'unknown transactions' : countOf(transactions, 'transaction'),
    bytes === null ? 'unknown bytes' : bytesText(bytes),
  ].join(', ');
}

/** `twinproof.lag/v1`. Counts are strings, null is unknown. */
export interface LagJson {
  readonly schema: 'twinproof.lag/v1';
  readonly candidate: string;
  readonly at: string;
  readonly state: LagSample['state'];
  readonly transport: LagFigureJson;
  readonly apply: LagFigureJson;
  readonly total: LagFigureJson;
  readonly objectiveMs: number | null;
  readonly witnessedUntil: string | null;
  readonly deliveryMs?: number;
  readonly notes: readonly string[];
}

export interface LagFigureJson {
  readonly bytes: string | null;
  readonly transactions: string | null;
  readonly ms: number | null;
}

/** One object a candidate and sample. */
export function lagJson(sample: LagSample): LagJson {
  const { candidate, at, lag, state, notes, witnessedUntil, objectiveMs } = sample;
  return {
    schema: 'twinproof.lag/v1',
    candidate,
    at: at.toISOString(),
    state,
    transport: figureJson(lag.transport),
    apply: figureJson(lag.apply),
    total: figureJson(lag.total),
    objectiveMs,
    witnessedUntil: witnessedUntil?.toISOString() ?? null,
    ...(sample.deliveryMs === undefined ? {} : { deliveryMs: sample.deliveryMs }),
    notes,
  };
}

function figureJson({ bytes, transactions, ms }: LagFigure): LagFigureJson {
  return { bytes: bytes?.toString() ?? null, transactions: transactions?.toString() ?? null, ms };
}
