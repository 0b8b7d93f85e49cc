import type { Severity } from '../connector/identity.ts';
import type { Difference, Outcome, Reason, TableResult } from './result.ts';
import type { TablePlan } from './scope.ts';
import { reason } from './reasons.ts';

const SEVERITY_ORDER: Readonly<Record<Severity, number>> = { block: 0, warn: 1, info: 2 };
/** Reasons of one code are counted, not repeated, beyond this many. */
const REASONS_PER_CODE = 5;

/** What is known of one table so far. Counts are exact; samples and reasons are capped. */
export class Tally {
  readonly #plan: TablePlan;
  readonly #samplesMax: number;
  readonly #samples: Difference[] = [];
  readonly #reasons: Reason[];
  readonly #perCode = new Map<string, number>();
  #primaryRows = 0n;
  #candidateRows = 0n;
  #missing = 0n;
  #extra = 0n;
  #changed = 0n;
  #unproven = false;
  #broken = false;

  constructor(plan: TablePlan, samplesMax: number) {
    this.#plan = plan;
    this.#samplesMax = samplesMax;
    this.#reasons = [...plan.notes];
  }

  addRows(primary: bigint, candidate: bigint): void {
    this.#primaryRows += primary;
    this.#candidateRows += candidate;
  }

  count(kind: Difference['kind'], rows: number): void {
    if (kind === 'missing') this.#missing += BigInt(rows);
    else if (kind === 'extra') this.#extra += BigInt(rows);
    else this.#changed += BigInt(rows);
  }

  get samplesWanted(): number {
    return this.#samplesMax - this.#samples.length;
  }

  sample(difference: Difference): void {
    if (this.samplesWanted > 0) this.#samples.push(difference);
  }

  get differences(): bigint {
    return this.#missing + this.#extra + this.#changed;
  }

  /** Something could not be proven: the table cannot be `same` any more. */
  unproven(why: Reason): void {
    this.#unproven = true;
    this.#note(why);
  }

  /** A fault of the candidate that is as bad as a difference, such as rows missing from an index. */
  broken(why: Reason): void {
    this.#broken = true;
    this.#note(why);
  }

  /** How often a reason of this code was given. */
  reasonsOf(code: string): number {
    return this.#perCode.get(code) ?? 0;
  }

  get outcome(): Outcome {
    if (this.differences > 0n || this.#broken) return 'different';
    return this.#unproven ? 'unproven' : 'same';
  }

  result(): TableResult {
    const reasons = [...this.#reasons];
    if (this.differences > 0n) reasons.push(this.#differenceReason());
    reasons.sort((a, b) => SEVERITY_ORDER[a.severity] - SEVERITY_ORDER[b.severity]);
    return {
      table: this.#plan.name,
      outcome: this.outcome,
      encoding: this.#plan.encoding,
      method: this.#plan.method,
      rows: { primary: this.#primaryRows, candidate: this.#candidateRows },
      differences: { missing: this.#missing, extra: this.#extra, changed: this.#changed },
      samples: this.#samples,
      reasons,
    };
  }

  #note(why: Reason): void {
    const seen = this.#perCode.get(why.code) ?? 0;
    this.#perCode.set(why.code, seen + 1);
    if (seen < REASONS_PER_CODE) this.#reasons.push(why);
  }

  #differenceReason(): Reason {
    const parts = [
      [this.#missing, 'missing on the candidate'],
      [this.#extra, 'only on the candidate'],
      [this.#changed, 'changed'],
    ] as const;
    const text = parts.filter(([count]) => count > 0n).map(([count, what]) => `${count} ${what}`);
    return reason('TP-DIFFERENT', this.#plan.name, `rows differ: ${text.join(', ')}`);
  }
}

/** The outcome of a whole run: a difference outweighs what is unproven, and an empty scope proves nothing. */
export function overallOutcome(outcomes: readonly Outcome[]): Outcome {
  if (outcomes.includes('different')) return 'different';
  if (outcomes.length === 0 || outcomes.includes('unproven')) return 'unproven';
  return 'same';
}
