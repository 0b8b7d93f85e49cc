import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { makeFolder } from '../config/made-folder.ts';
import type { PromotionMode } from '../readiness/rule.ts';
import type { ReadinessJson, ReadinessResultJson } from '../report/readiness-json.ts';
import { writeOutput } from '../report/output-file.ts';
import { type CheckedState, checkedSchema, LISTED_MAX } from '../state/schema.ts';

/** What scheduled runs of `readiness` have found, one file for each candidate: whole, as the command prints it. */
export class ReadinessFolder {
  readonly #folder: string;
  /** By candidate, with what tells one writing of a file from another. */
  readonly #known = new Map<string, { readonly mark: string; readonly checked: CheckedState | null }>();

  constructor(folder: string, system: string) {
    this.#folder = path.join(folder, 'readiness', system);
  }

  /** Throws TP-OUTPUT, or what the file system throws. */
  async keep(candidate: string, result: string): Promise<void> {
    await makeFolder(this.#folder);
    await writeOutput(this.#file(candidate), result);
  }

  /** What is known of these candidates; null: nothing. Throws nothing. */
  async newest(candidates: readonly string[]): Promise<ReadonlyMap<string, CheckedState | null>> {
    const found = new Map<string, CheckedState | null>();
    for (const name of candidates) found.set(name, await this.#newestOf(name));
    return found;
  }

  async #newestOf(name: string): Promise<CheckedState | null> {
    const status = await stat(this.#file(name)).catch(() => null);
    if (status === null) return null;
    const mark = `${status.ino}/${status.mtimeMs}/${status.size}`;
    const known = this.#known.get(name);
    if (known?.mark === mark) return known.checked;
    const checked = await readFile(this.#file(name), 'utf8').then(checkedIn, () => null);
    this.#known.set(name, { mark, checked });
    return checked;
  }

  #file(candidate: string): string {
    return path.join(this.#folder, `${encodeURIComponent(candidate)}.json`);
  }
}

/** Null: it is nothing that we have written. */
function checkedIn(text: string): CheckedState | null {
  try {
    const document: ReadinessJson = JSON.parse(text);
    return checkedSchema.safeParse(checkedOf(document)).data ?? null;
  } catch {
    return null;
  }
}

/** The result of `readiness` as a state has it: what was found, the gravest first. Pure. */
export function checkedOf({ checkedAt, switchover, failover, results }: ReadinessJson): CheckedState {
  const found = results.flatMap((result) => {
    const { state, waiver } = result;
    return state === 'pass' || waiver !== null ? [] : [{ ...result, state }];
  });
  const findings = found
    .toSorted((a, b) => weight(a) - weight(b))
    .slice(0, LISTED_MAX)
    .map(({ code, state, severity, subject, message, hint }) => ({
      code,
      state,
      severity,
      subject,
      message,
      hint,
    }));
  return { at: checkedAt, switchover, failover, findings, count: found.length };
}

const MODES: readonly PromotionMode[] = ['switchover', 'failover'];
const SEVERITIES = ['block', 'warn', 'info'] as const;

/** What blocks comes before what is not known, and that before warnings. */
function weight({ state, severity }: Pick<ReadinessResultJson, 'state' | 'severity'>): number {
  const gravest = Math.min(...MODES.map((mode) => SEVERITIES.indexOf(severity[mode])));
  return gravest * 2 + Number(state === 'unknown');
}
