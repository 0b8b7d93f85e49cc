import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { readCertificateFile } from '../certificate/chain.ts';
import { parseEnvelope } from '../certificate/envelope-parse.ts';
import { statementSchema } from '../certificate/statement-schema.ts';
import { sha256 } from '../certificate/statement.ts';
import { TwinproofError } from '../errors.ts';
import { LISTED_MAX, type SystemState } from '../state/schema.ts';

/** Where certificates of a system are kept for the board: whoever runs `certify --out` may write there. */
export function certificateFolder(folder: string, system: string): string {
  return path.join(folder, 'certificates', system);
}

/** The newest one under a name of its own, so that the next can carry its digest. */
export const LATEST = 'latest.json';

/** The newest certificates of a system; other files are passed over. */
export async function certificatesOf(folder: string, system: string): Promise<SystemState['certificates']> {
  const own = certificateFolder(folder, system);
  const names = await readdir(own).catch((): string[] => []);
  const found: SystemState['certificates'] = [];
  const dated = names.filter((name) => name !== LATEST);
  for (const file of dated.sort().toReversed().slice(0, LISTED_MAX)) {
    const certificate = await read(own, file);
    if (certificate !== null) found.push(certificate);
  }
  return found.sort((a, b) => (a.issuedAt < b.issuedAt ? 1 : -1));
}

async function read(folder: string, file: string): Promise<SystemState['certificates'][number] | null> {
  try {
    const { payload } = parseEnvelope(await readCertificateFile(path.join(folder, file)));
    const parsed = statementSchema.safeParse(JSON.parse(payload.toString('utf8')));
    if (!parsed.success) return null;
    const { verdict, issuedAt, expiresAt } = parsed.data.predicate;
    return { file, candidate: null, verdict: verdict.verdict, issuedAt, expiresAt, sha256: sha256(payload) };
  } catch (error) {
    if (error instanceof TwinproofError || error instanceof SyntaxError) return null;
    throw error;
  }
}
