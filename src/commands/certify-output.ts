import { previousCertificate } from '../certificate/chain.ts';
import { issueCertificate } from '../certificate/issue.ts';
import { buildStatement, type CertifiedTable } from '../certificate/statement.ts';
import { TwinproofError } from '../errors.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { rootOf } from '../ledger/candidate-check.ts';
import { candidatesText } from '../report/candidates-text.ts';
import { writeOutput } from '../report/output-file.ts';
import { countOf } from '../report/quantity.ts';
import { terminalJson, terminalText } from '../report/terminal-text.ts';
import { verdictText } from '../report/verdict-text.ts';
import type { Evidence } from '../verdict/evidence.ts';
import { verdictJson, type VerdictJson } from '../verdict/json.ts';
import type { Ranking } from '../verdict/ranking.ts';
import type { Verdict } from '../verdict/verdict.ts';
import type { CandidateFindings } from './certify-candidate.ts';
import { writeLosses } from './certify-losses.ts';
import type { CertificateTarget } from './certificate-target.ts';
import type { SiteIo } from './io.ts';
import { toolVersion } from './version.ts';

/** A candidate, what was found of it, and the verdict. */
export interface CertifiedCandidate {
  readonly name: string;
  readonly findings: CandidateFindings;
  readonly evidence: Evidence;
  readonly verdict: Verdict;
}

export interface CertifyAnswer {
  readonly options: { readonly format: 'text' | 'json'; readonly losses: string | null };
  readonly certified: readonly CertifiedCandidate[];
  readonly ranking: Ranking;
  readonly target: CertificateTarget | null;
  readonly ledger: Ledger;
}

/** Several candidates in one answer, best first. */
const VERDICTS_SCHEMA = 'twinproof.verdicts/v1';

/** The verdict of one candidate, with its name and the two positions that it speaks of. */
interface CandidateVerdictJson extends VerdictJson {
  readonly candidate: string;
  /** The candidate's, as of which its rows are judged, and the ledger's. */
  readonly position: string | null;
  readonly ledgerPosition: string | null;
}

/** Prints the answer first: a full disk takes the files, not the answer. Throws TP-OUTPUT, TP-KEY. */
export async function writeAnswer(answer: CertifyAnswer, io: SiteIo): Promise<void> {
  const { options, ranking, certified, target, ledger } = answer;
  const ordered = ranking.candidates.flatMap(({ name }) => certified.filter((one) => one.name === name));
  const [best] = ordered;
  if (best === undefined) throw new TwinproofError('TP-BUG', { message: 'there is no candidate' });
  const documents = ordered.map((one) => documentOf(one, ledger));
  const text = options.format === 'json' ? jsonOf(documents, ranking) : textOf(documents, ranking, io);
  io.stdout(text);
  if (options.losses !== null) await losses(options.losses, best, ledger, io);
  if (target !== null) await certificate(target, best, ledger, JSON.stringify(documents[0]), io);
}

function documentOf({ name, verdict, findings }: CertifiedCandidate, ledger: Ledger): CandidateVerdictJson {
  const position = findings.place?.position ?? null;
  return { ...verdictJson(verdict), candidate: name, position, ledgerPosition: ledger.position };
}

function jsonOf(documents: readonly CandidateVerdictJson[], { why }: Ranking): string {
  const [only, ...others] = documents;
  const value =
    others.length === 0
      ? only
      : { schema: VERDICTS_SCHEMA, best: { candidate: only?.candidate, why }, candidates: documents };
  return `${terminalJson(value, 2)}\n`;
}

function textOf(documents: readonly CandidateVerdictJson[], { why }: Ranking, io: SiteIo): string {
  const parts = documents.map((document) =>
    verdictText(document, { ...io.screen, title: document.candidate }),
  );
  if (parts.length === 1) return parts.join('');
  return `${candidatesText(documents, why, io.screen)}\n${parts.join('\n')}`;
}

async function losses(
  file: string,
  { findings }: CertifiedCandidate,
  ledger: Ledger,
  io: SiteIo,
): Promise<void> {
  const { site, place, shapes } = findings;
  if (site === null || place === null || place.view === null) {
    throw new TwinproofError('TP-OUTPUT', {
      message: `${file} was not written: what this candidate lacks is not known`,
      hint: 'see the reasons of the verdict',
    });
  }
  const range = { from: place.view.low, to: ledger.head(), contains: place.view.contains };
  const lines = await writeLosses(file, ledger.core, range, site, shapes, io.signal);
  io.stderr(`${countOf(lines, 'lost change')} written to ${terminalText(file)}\n`);
}

async function certificate(
  { out, key }: CertificateTarget,
  { verdict, evidence, findings }: CertifiedCandidate,
  ledger: Ledger,
  resultJson: string,
  io: SiteIo,
): Promise<void> {
  const previous = await previousCertificate(out);
  const statement = buildStatement({
    verdict,
    policy: evidence.policy,
    primary: { identity: evidence.primary, position: ledger.position, clockSkewMs: null },
    candidate: {
      identity: evidence.candidate,
      position: findings.place?.position ?? null,
      clockSkewMs: findings.skewMs,
    },
    startedAt: findings.startedAt,
    finishedAt: io.now(),
    provenAt: evidence.integrity.provenAt,
    pair: evidence.pair,
    digest: ledger.identity.digest,
    tables: certifiedTables(evidence, findings, ledger),
    resultJson,
    tool: { version: toolVersion(), sha256: null },
    previous: previous?.payloadSha256 ?? null,
    issuedAt: io.now(),
    randomBytes: io.randomBytes,
  });
  await writeOutput(out, issueCertificate(statement, key));
}

function certifiedTables(
  { integrity }: Evidence,
  { shapes }: CandidateFindings,
  ledger: Ledger,
): readonly CertifiedTable[] {
  const rows = new Map<string, number>();
  for (const relation of ledger.core.catalog.current()) {
    const root = rootOf(relation);
    rows.set(root, (rows.get(root) ?? 0) + relation.rows);
  }
  return integrity.tables.map(({ table, outcome }) => {
    const encodings = new Set((shapes.get(table)?.columns ?? []).map(({ encoding }) => encoding));
    const encoding = encodings.size === 0 ? 'none' : [...encodings].sort().join('+');
    const primary = (rows.get(table) ?? 0).toString();
    return { table, outcome, encoding, method: 'ledger', rows: { primary, candidate: null } };
  });
}
