import type { CandidateState } from './candidate-state.ts';
import type { CandidateWatch } from './candidate-watch.ts';
import type { WatchedLedger } from './watched-ledger.ts';

const US_PER_S = 1_000_000n;

/** How a system stands, on one line. */
export function statusLine(
  watched: WatchedLedger,
  candidates: readonly Pick<CandidateWatch, 'name' | 'state'>[],
  nowUs: bigint,
): string {
  const parts = [positionText(watched, nowUs), tablesText(watched)];
  for (const { name, state } of candidates) {
    if (!state.connected) {
      parts.push(`${name} not connected`);
      continue;
    }
    const told = [`${state.dirty} dirty`];
    if (state.differences > 0) told.push(`${state.differences}${state.moreDifferences ? '+' : ''} different`);
    told.push(provenText(state));
    parts.push(`${name} ${told.join(', ')}`);
  }
  return parts.join('; ');
}

function provenText({ unproven, proven }: CandidateState): string {
  if (unproven.length > 0) return `${unproven.length} ${unproven.length === 1 ? 'table' : 'tables'} unproven`;
  return proven ? 'all proven' : 'not proven yet';
}

function positionText({ ledger, witness }: WatchedLedger, nowUs: bigint): string {
  const seen = witness.read();
  if (ledger.position === null) return 'nothing received yet';
  if (seen === null) return `at ${ledger.position}, not witnessed yet`;
  const age = nowUs > seen.timeUs ? (nowUs - seen.timeUs) / US_PER_S : 0n;
  return `at ${ledger.position}, witnessed ${age} s ago`;
}

function tablesText(watched: WatchedLedger): string {
  const tables = watched.known.definitions()?.tables ?? [];
  const { catalog } = watched.ledger.core;
  const known = tables.filter(({ id }) => (catalog.ofTable(id)?.completeFrom ?? null) !== null);
  return `${known.length} of ${tables.length} tables known`;
}
