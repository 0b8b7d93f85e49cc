import { verifyTopic } from '../compare/topic-verify.ts';
import type { Outcome } from '../compare/result.ts';
import { parseUrl, redactAddress, type SiteAddress } from '../config/url.ts';
import { EXIT } from '../error-codes.ts';
import { TwinproofError } from '../errors.ts';
import { writeOutput } from '../report/output-file.ts';
import { topicJson, topicText } from '../report/topic-text.ts';
import type { SiteIo } from './io.ts';
import { steadyTiming } from './timing.ts';

export interface VerifyTopicOptions {
  readonly primary: string;
  readonly candidate: string;
  readonly applyWithinMs: number | null;
  readonly timeoutMs: number | null;
  readonly format: 'text' | 'json';
  readonly out: string | null;
}

const APPLY_WITHIN_MS = 10_000;
const EXIT_OF: Readonly<Record<Outcome, number>> = {
  same: EXIT.ok,
  different: EXIT.critical,
  unproven: EXIT.unknown,
};

/** `twinproof verify` of two topics. The answer is the exit code. Throws TP-URL, TP-UNREACHABLE, TP-TIMEOUT, …. */
export async function runVerifyTopic(options: VerifyTopicOptions, io: SiteIo): Promise<number> {
  const { openTopic } = io;
  if (openTopic === undefined)
    throw new TwinproofError('TP-BUG', { message: 'topics cannot be opened here' });
  const addressOf = (text: string): SiteAddress => {
    const { address, warnings } = parseUrl(text, 'argument');
    for (const warning of warnings) io.stderr(`warning: ${warning}\n`);
    return address;
  };
  const [ours, theirs] = [addressOf(options.primary), addressOf(options.candidate)];
  const primary = await openTopic(ours);
  const candidate = await openTopic(theirs);
  const timer = new AbortController();
  const timeout =
    options.timeoutMs === null
      ? null
      : setTimeout(() => timer.abort(new TwinproofError('TP-TIMEOUT')), options.timeoutMs).unref();
  try {
    const startedAt = io.now();
    const result = await verifyTopic(
      primary,
      candidate,
      { applyWithinMs: options.applyWithinMs ?? APPLY_WITHIN_MS, timing: steadyTiming() },
      AbortSignal.any([io.signal, timer.signal]),
    );
    const about = {
      startedAt,
      finishedAt: io.now(),
      primary: redactAddress(ours),
      candidate: redactAddress(theirs),
    };
    const json = topicJson(result, about);
    io.stdout(options.format === 'json' ? json : topicText(result, about, io.screen));
    if (options.out !== null) await writeOutput(options.out, json);
    return EXIT_OF[result.outcome];
  } finally {
    if (timeout !== null) clearTimeout(timeout);
    await primary.close();
    await candidate.close();
  }
}
