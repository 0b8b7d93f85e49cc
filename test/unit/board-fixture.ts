import { parseConfig, type Config } from '../../src/config/load.ts';
import type { ReadState } from '../../src/state/file.ts';
import { STATE_SCHEMA, type CandidateState, type SystemState } from '../../src/state/schema.ts';
import type { VerdictJson } from '../../src/verdict/json.ts';
import type { VerdictWord } from '../../src/verdict/verdict.ts';

export const NOW = new Date('2026-03-01T02:00:30.000Z');

/** `seconds` before `now`. */
export function ago(seconds: number, now = NOW): string {
  return new Date(now.getTime() - seconds * 1000).toISOString();
}

export function verdictOf(verdict: VerdictWord, more: Partial<VerdictJson> = {}, now = NOW): VerdictJson {
  const loss = {
    basis: null,
    transactions: null,
    changes: null,
    keys: null,
    firstCommitAt: null,
    lastCommitAt: null,
    witnessedUntil: ago(2, now),
    tail: { bytes: '0', ms: 0 },
    tables: null,
    recoverableBytes: '0',
  };
  const none = {
    ...loss,
    kind: 'none',
    basis: 'ledger',
    transactions: '0',
    changes: '0',
    keys: '0',
  } as const;
  const bounded = { ...none, kind: 'bounded', transactions: '34', changes: '120', keys: '71' } as const;
  const rpo = { objectiveMs: 30_000, boundMs: null, atLeastMs: null };
  return {
    schema: 'twinproof.verdict/v1',
    verdict,
    mode: 'failover',
    integrity: verdict === 'UNKNOWN' ? 'unproven' : verdict === 'NOT_SAFE' ? 'different' : 'same',
    loss: verdict === 'SAFE' ? none : verdict === 'SAFE_WITH_LOSS' ? bounded : { ...loss, kind: 'unknown' },
    rpo:
      verdict === 'SAFE'
        ? { ...rpo, boundMs: 0, atLeastMs: 0 }
        : verdict === 'SAFE_WITH_LOSS'
          ? { ...rpo, boundMs: 12_400, atLeastMs: 3_100 }
          : rpo,
    coverage: { tables: 128, compared: 128, excluded: [] },
    notProven: [
      {
        code: 'TP-N-SINCE-PROOF',
        subject: 'unchanged rows',
        message: 'what else changed them is not seen',
        decidedBy: null,
      },
    ],
    reasons: REASONS[verdict],
    decidedAt: ago(5, now),
    expiresAt: ago(-595, now),
    ...more,
  };
}

const REASONS: Readonly<Record<VerdictWord, VerdictJson['reasons']>> = {
  SAFE: [],
  SAFE_WITH_LOSS: [
    {
      code: 'TP-V-LOSS-WITHIN-RPO',
      severity: 'warn',
      effect: 'loss',
      subject: 'loss',
      message: 'up to 12.4 s of commits would be lost; the policy allows 30 s',
      hint: 'someone must answer for this loss before the promotion',
    },
  ],
  NOT_SAFE: [
    {
      code: 'TP-V-DIFFERENT',
      severity: 'block',
      effect: 'not-safe',
      subject: 'public.transfer',
      message: 'rows differ from the primary’s',
      hint: 'repair the rows or build the candidate anew',
    },
  ],
  UNKNOWN: [
    {
      code: 'TP-V-HEAD-MOVED',
      severity: 'warn',
      effect: 'unknown',
      subject: 'primary',
      message: 'transactions were committed on the primary while the rows were read',
      hint: 'stop every writer, scheduled jobs too, and run again',
    },
  ],
};

const DIFFERENCE = {
  table: 'public.transfer',
  kind: 'changed',
  key: 'id=7',
  digest: '00112233445566778899aabbccddeeff',
  firstSeenAt: ago(600),
} as const;

export function candidateOf(
  name: string,
  verdict: VerdictWord,
  more: Partial<CandidateState> = {},
  now = NOW,
): CandidateState {
  const different = verdict === 'NOT_SAFE';
  const figure = { bytes: '18432', transactions: '3', ms: 420 };
  return {
    name,
    site: name,
    faultDomain: null,
    silence: null,
    identity: null,
    position: '0/3000148',
    recoveryPointAt: ago(2, now),
    verdict: verdictOf(verdict, {}, now),
    outlook: null,
    lag: { at: ago(2, now), state: 'ok', transport: figure, apply: figure, total: figure, notes: [] },
    samples: Array.from({ length: 60 }, (_, index) => ({
      at: ago((60 - index) * 10, now),
      ms: index % 17 === 0 ? null : Math.round(900 + 700 * Math.sin(index / 4) + ((index * 7919) % 300)),
      transportMs: 100,
    })),
    rows: {
      provenAt: verdict === 'UNKNOWN' || different ? null : ago(8_100, now),
      unproven: verdict === 'UNKNOWN' ? ['public.ledger_entry'] : [],
      unprovenTables: verdict === 'UNKNOWN' ? 1 : 0,
      dirty: '12',
      differences: different ? 7 : 0,
      more: false,
      tables: different ? [{ table: 'public.transfer', differences: 7 }] : [],
      listed: different ? [DIFFERENCE] : [],
    },
    readiness: {
      switchover: { word: 'ready', blocking: 0, unknown: 0, warnings: 1 },
      failover: {
        word: different ? 'not-ready' : 'ready',
        blocking: Number(different),
        unknown: 0,
        warnings: 0,
      },
    },
    checked: null,
    ...more,
  };
}

export function stateOf(
  system: string,
  candidates: readonly CandidateState[],
  more: Partial<SystemState> = {},
  now = NOW,
): SystemState {
  const [first] = candidates;
  return {
    schema: STATE_SCHEMA,
    system,
    publisher: { host: 'witness', pid: 7, version: '1', startedAt: ago(9_000, now) },
    writtenAt: ago(3, now),
    everyMs: 10_000,
    staleAfterMs: 9_000,
    problem: null,
    pair: 'physical',
    primary: {
      site: 'pangyo',
      faultDomain: null,
      state: 'alive',
      message: null,
      identity: null,
      position: '0/3000148',
      witnessedUntil: ago(2, now),
    },
    best: first === undefined ? null : { candidate: first.name, why: '' },
    candidates: [...candidates],
    certificates: [],
    runs: [],
    mirror: null,
    ...more,
  };
}

export function read(state: SystemState): ReadState {
  return { state, problem: null };
}

/** A configuration of systems: what stands behind each name is YAML of its own, in braces' inside. */
export function fleetConfig(systems: Readonly<Record<string, string>>, more = ''): Config {
  return parseConfig(fleetYaml(systems, more), '/etc/tp/twinproof.yaml', {});
}

export function fleetYaml(systems: Readonly<Record<string, string>>, more = ''): string {
  const lines = Object.entries(systems).map(
    ([name, facts]) =>
      `  ${JSON.stringify(name)}: { primary: { url: "postgres://v@p/x", site: pangyo }, candidates: [{ name: gasan, url: "postgres://v@g/x", site: gasan }], policy: { rpo: 30s }${facts === '' ? '' : `, ${facts}`} }\n`,
  );
  return `systems:\n${lines.join('')}${more}`;
}
