import { hostname } from 'node:os';
import type { StateConfig } from '../config/fleet.ts';
import type { SiteConfig, SystemConfig } from '../config/schema.ts';
import type { ShownMirror } from '../ledger/show.ts';
import { isPromotable } from '../state/lapse.ts';
import { rhythmOf } from '../state/rhythm.ts';
import {
  type CandidateState,
  type LagPoint,
  type MirrorStanding,
  STATE_SCHEMA,
  type SystemState,
} from '../state/schema.ts';
import type { Silences } from './silences.ts';
import type { Look } from './state-look.ts';
import type { JudgedCandidate, JudgedSystem } from './state-verdicts.ts';
import { toolVersion } from './version.ts';

/** What a state file is made of. */
export interface Content {
  readonly system: SystemConfig;
  readonly state: StateConfig;
  /** Whether the ledger is to be mirrored. */
  readonly mirrored: boolean;
  readonly startedAt: string;
  readonly writtenAt: string;
  readonly problem: SystemState['problem'];
  readonly judged: JudgedSystem | null;
  /** Null: there was none this time. */
  readonly look: Look | null;
  readonly samples: ReadonlyMap<string, readonly LagPoint[]>;
  readonly checked: ReadonlyMap<string, CandidateState['checked']>;
  readonly certificates: SystemState['certificates'];
  readonly runs: SystemState['runs'];
}

/** How a system stands, as it is written down. */
export function contentOf(content: Content): SystemState {
  const { system, state, startedAt, writtenAt, problem, judged, look, certificates, runs } = content;
  return {
    schema: STATE_SCHEMA,
    system: system.name,
    publisher: { host: hostname(), pid: process.pid, version: toolVersion(), startedAt },
    writtenAt,
    everyMs: state.every,
    staleAfterMs: rhythmOf(state.every).freshMs,
    problem,
    pair: judged?.pair ?? null,
    primary: {
      site: system.primary.site,
      faultDomain: system.primary.faultDomain ?? null,
      ...(judged?.primary ?? UNKNOWN_PRIMARY),
      ...(look?.primarySilence == null ? {} : { state: 'unknown', message: look.primarySilence }),
      ...witnessOf(look),
    },
    best: judged?.best ?? null,
    candidates: system.candidates.map((candidate) => candidateOf(candidate, content)),
    certificates,
    runs,
    mirror: content.mirrored ? mirrorOf(look?.mirror ?? null) : null,
  };
}

function mirrorOf(mirror: ShownMirror | null): MirrorStanding {
  const { progress, trouble } = mirror ?? { progress: null, trouble: null };
  return {
    topic: progress?.topic ?? null,
    reachedAt: progress?.reachedAtUs == null ? null : timeOf(progress.reachedAtUs),
    bytesBehind: progress === null ? null : String(progress.bytesBehind),
    tablesMissing: progress?.tablesMissing ?? null,
    trouble:
      trouble === null
        ? null
        : { code: trouble.code, message: trouble.message, since: timeOf(trouble.sinceUs) },
  };
}

function timeOf(us: bigint): string {
  return new Date(Number(us / 1000n)).toISOString();
}

function candidateOf(
  { name, site, faultDomain }: SiteConfig,
  { judged, look, samples, checked }: Content,
): CandidateState {
  const { sampled, silence } = look?.candidates.get(name) ?? NOT_LOOKED_AT;
  const known = judged?.candidates.get(name) ?? UNKNOWN_CANDIDATE;
  return {
    name,
    site,
    faultDomain: faultDomain ?? null,
    ...known,
    silence: silence ?? known.silence,
    recoveryPointAt: sampled?.recoveryPointAt ?? null,
    lag: sampled?.lag ?? null,
    samples: [...(samples.get(name) ?? [])],
    checked: checked.get(name) ?? null,
  };
}

const NOT_LOOKED_AT = { sampled: null, silence: null };

const UNKNOWN_PRIMARY = {
  state: 'unknown',
  message: null,
  identity: null,
  position: null,
  witnessedUntil: null,
} as const;

const UNKNOWN_CANDIDATE: JudgedCandidate = {
  silence: null,
  identity: null,
  position: null,
  verdict: null,
  outlook: null,
  rows: null,
  readiness: null,
};

/**
 * What was judged, without what a site vouched for that does not answer any more: of a silent candidate, or with a silent
 * primary, no verdict is left by which somebody may promote. Pure but for the silences.
 */
export function withoutSilent(
  judged: JudgedSystem,
  { primary }: Pick<SystemConfig, 'primary'>,
  silences: Pick<Silences, 'of'>,
): JudgedSystem {
  const isPrimarySilent = silences.of(primary.name) !== null;
  const candidates = [...judged.candidates].map(([name, one]): [string, JudgedCandidate] => {
    const silence = silences.of(name);
    if (silence !== null) {
      const verdict = withdrawn(one.verdict);
      return [name, { ...one, verdict, outlook: null, readiness: null, silence: one.silence ?? silence }];
    }
    return [name, isPrimarySilent ? { ...one, verdict: withdrawn(one.verdict) } : one];
  });
  return { ...judged, candidates: new Map(candidates) };
}

function withdrawn(verdict: JudgedCandidate['verdict']): JudgedCandidate['verdict'] {
  return verdict !== null && isPromotable(verdict.verdict) ? null : verdict;
}

/** The newest witness: that of a lag sample is later than that of the verdict. */
function witnessOf(look: Look | null): { witnessedUntil?: string } {
  const times = [...(look?.candidates.values() ?? [])].flatMap(({ sampled }) =>
    sampled?.witnessedUntil == null ? [] : [sampled.witnessedUntil],
  );
  const last = times.sort().at(-1);
  return last === undefined ? {} : { witnessedUntil: last };
}
