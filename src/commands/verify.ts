import type { Outcome } from '../compare/result.ts';
import { EXIT } from '../error-codes.ts';
import { writeOutput } from '../report/output-file.ts';
import { verifyJson } from '../report/verify-json.ts';
import type { SiteIo } from './io.ts';
import { warnOfOutput } from './output-warning.ts';
import { compareSites, type ComparisonOptions } from './run-verify.ts';

export interface VerifyCommandOptions extends ComparisonOptions {
  readonly format: 'text' | 'json';
  /** Where the result goes besides standard output: as JSON, whatever the format on the screen. */
  readonly out: string | null;
  readonly all: boolean;
}

const EXIT_OF: Readonly<Record<Outcome, number>> = {
  same: EXIT.ok,
  different: EXIT.critical,
  unproven: EXIT.unknown,
};

/** `twinproof verify`. The answer is the exit code. */
export async function runVerifyCommand(options: VerifyCommandOptions, io: SiteIo): Promise<number> {
  const { primary, candidate } = options;
  if (isTopic(primary) && isTopic(candidate)) {
    const { runVerifyTopic } = await import('./verify-topic.ts');
    return runVerifyTopic(
      { ...options, primary, candidate, format: options.format === 'json' ? 'json' : 'text' },
      io,
    );
  }
  if (options.out !== null) await warnOfOutput(options.out, io);
  return compareSites(options, io, async (result) => {
    const json = verifyJson(result);
    if (options.format === 'json') {
      io.stdout(json);
    } else {
      const { verifyText } = await import('../report/verify-text.ts');
      io.stdout(verifyText(result, { ...io.screen, showAllTables: options.all }));
    }
    // Printed first: a full disk takes the file, not the answer.
    if (options.out !== null) await writeOutput(options.out, json);
    return EXIT_OF[result.outcome];
  });
}

function isTopic(site: string | null): site is string {
  return site?.toLowerCase().startsWith('kafka://') === true;
}
