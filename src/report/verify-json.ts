import type {
  Difference,
  Outcome,
  Reason,
  SiteResult,
  TableResult,
  VerifyResult,
} from '../compare/result.ts';
import { type Identity, publicIdentity } from '../connector/identity.ts';
import type { PairKind } from '../connector/table.ts';
import { terminalJson } from './terminal-text.ts';

/** `twinproof.verify/v1`. Fields may be added; these stay. Counts are strings; times are ISO 8601 in UTC. */
export interface VerifyDocument {
  readonly schema: 'twinproof.verify/v1';
  readonly outcome: Outcome;
  readonly pair: PairKind;
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly primary: SiteDocument & { readonly headBefore: string | null };
  readonly candidate: SiteDocument;
  readonly coverage: {
    readonly tables: number;
    readonly compared: number;
    readonly excluded: readonly { readonly table: string; readonly reason: string }[];
  };
  readonly tables: readonly TableDocument[];
  readonly reasons: readonly Reason[];
  /** What was taken over from a state file; null: nothing. */
  readonly resumed: { readonly ranges: number; readonly rows: string; readonly provenSince: string } | null;
  readonly bytesRead: string;
}

export interface SiteDocument {
  readonly engine: string;
  /** Null: the site was never reached. */
  readonly identity: Identity | null;
  readonly position: string | null;
}

export interface TableDocument {
  readonly table: string;
  readonly outcome: Outcome;
  readonly encoding: string;
  readonly method: TableResult['method'];
  readonly rows: { readonly primary: string; readonly candidate: string };
  readonly differences: { readonly missing: string; readonly extra: string; readonly changed: string };
  readonly samples: readonly DifferenceDocument[];
  readonly reasons: readonly Reason[];
}

export interface DifferenceDocument {
  readonly kind: Difference['kind'];
  readonly key: Difference['key'];
  readonly columns?: readonly string[];
  readonly values?: NonNullable<Difference['values']>;
}

/** The result as `verify --format json` prints it: one object and a newline. */
export function verifyJson(result: VerifyResult): string {
  return `${terminalJson(verifyDocument(result), 2)}\n`;
}

/** Every field is copied by name, so that nothing gets into the output by being added to a result. */
export function verifyDocument(result: VerifyResult): VerifyDocument {
  const { coverage, resumed } = result;
  return {
    schema: 'twinproof.verify/v1',
    outcome: result.outcome,
    pair: result.pair,
    startedAt: result.startedAt.toISOString(),
    finishedAt: result.finishedAt.toISOString(),
    primary: { ...siteDocument(result.primary), headBefore: result.primary.headBefore },
    candidate: siteDocument(result.candidate),
    coverage: {
      tables: coverage.tables,
      compared: coverage.compared,
      excluded: coverage.excluded.map(({ table, reason }) => ({ table, reason })),
    },
    tables: result.tables.map(tableDocument),
    reasons: result.reasons.map(reasonDocument),
    resumed:
      resumed === null
        ? null
        : {
            ranges: resumed.ranges,
            rows: String(resumed.rows),
            provenSince: resumed.provenSince.toISOString(),
          },
    bytesRead: String(result.bytesRead),
  };
}

/** One difference as it stands in `samples`; cell values only when the result has them. */
export function differenceDocument({ kind, key, columns, values }: Difference): DifferenceDocument {
  return {
    kind,
    key,
    ...(columns === undefined ? {} : { columns }),
    ...(values === undefined ? {} : { values }),
  };
}

function siteDocument({ engine, identity, position }: SiteResult): SiteDocument {
  return { engine, identity: identity === null ? null : publicIdentity(identity), position };
}

function tableDocument(table: TableResult): TableDocument {
  const { rows, differences } = table;
  return {
    table: table.table,
    outcome: table.outcome,
    encoding: table.encoding,
    method: table.method,
    rows: { primary: String(rows.primary), candidate: String(rows.candidate) },
    differences: {
      missing: String(differences.missing),
      extra: String(differences.extra),
      changed: String(differences.changed),
    },
    samples: table.samples.map(differenceDocument),
    reasons: table.reasons.map(reasonDocument),
  };
}

function reasonDocument({ code, severity, subject, message, hint }: Reason): Reason {
  return { code, severity, subject, message, hint };
}
