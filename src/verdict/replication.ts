import type { KnownSynchrony, LedgerEvidence, VerdictMode } from './evidence.ts';
import { note, type VerdictReason } from './reason.ts';

/** What is to be known of how the candidate was fed, and weighs nothing: none of it bounds a loss. Pure. */
export function replicationNotes(
  mode: VerdictMode,
  { synchrony, there }: LedgerEvidence,
): readonly VerdictReason[] {
  return [
    ...outOfOrder(there ?? 0n),
    ...(mode === 'switchover' || synchrony == null ? [] : synchronyNotes(synchrony)),
  ];
}

function outOfOrder(there: bigint): readonly VerdictReason[] {
  if (there === 0n) return [];
  const text = {
    code: 'TP-V-OUT-OF-ORDER',
    subject: 'candidate',
    message: `it has ${there} transactions behind one that it lacks: it stands as the primary never stood`,
    hint: 'let it apply what it has received before it is promoted, which closes such holes; what it has is not counted as lost',
  };
  return [note(text, 'warn')];
}

function synchronyNotes(synchrony: KnownSynchrony): readonly VerdictReason[] {
  const hint =
    synchrony.state === 'waiting'
      ? 'it may have stopped waiting before its end, and another replica than this one may have confirmed: see which of them has received most'
      : 'what it committed last may have been on no other server';
  const message = synchronyWords(synchrony);
  return [note({ code: 'TP-V-SEMISYNC', subject: 'primary', message, hint }, 'info')];
}

/** In one sentence, without its end. */
export function synchronyWords({
  state,
  awaited,
  receivers,
  hidden,
  unconfirmed,
  askedAt,
}: KnownSynchrony): string {
  const asked = `when it was asked last, at ${askedAt.toISOString()}`;
  if (state === 'off') return `its commits waited for no other server (${asked})`;
  if (state === 'fallen back')
    return `its commits should have waited for another server and did not (${asked})`;
  const seen = hidden ? 'nobody saw them before' : 'others could see them before';
  const left = unconfirmed === '0' ? '' : `; ${unconfirmed} since its start were not confirmed`;
  return `its commits waited until ${awaited} of ${receivers} servers had received them, and ${seen} (${asked})${left}`;
}
