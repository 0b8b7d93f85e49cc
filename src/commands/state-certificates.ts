import { readdir, readFile, stat, unlink } from 'node:fs/promises';
import path from 'node:path';
import { readCertificateFile } from '../certificate/chain.ts';
import { parseEnvelope } from '../certificate/envelope-parse.ts';
import { superfluous } from '../certificate/retention.ts';
import { statementSchema } from '../certificate/statement-schema.ts';
import { sha256 } from '../certificate/statement.ts';
import { makeFolder } from '../config/made-folder.ts';
import { TwinproofError } from '../errors.ts';
import { writeOutput } from '../report/output-file.ts';
import { LISTED_MAX, type SystemState } from '../state/schema.ts';

/** The newest one under a name of its own, so that the next can carry its digest. */
const LATEST = 'latest.json';
/** The names that `keepLatest` gives: nothing else is ever removed. */
const BY_DATE = /^\d{4}-\d{2}-\d{2}T\d{2}-\d{2}-\d{2}-\d{3}Z\.json$/;

type Certificate = SystemState['certificates'][number];

/** Where certificates of a system are kept for the board: whoever runs `certify --out` may write there. */
export class CertificateFolder {
  readonly #folder: string;
  /** By name, with what tells one writing of a file from another: a certificate is read once. */
  readonly #known = new Map<string, { readonly mark: string; readonly certificate: Certificate | null }>();

  constructor(folder: string, system: string) {
    this.#folder = path.join(folder, 'certificates', system);
  }

  /** The file to which a new one is to be written. Throws what the file system throws. */
  async latest(): Promise<string> {
    await makeFolder(this.#folder);
    return path.join(this.#folder, LATEST);
  }

  /** Keeps the one that was written last under its date. Throws TP-OUTPUT, or what the file system throws. */
  async keepLatest(now: Date): Promise<void> {
    const name = `${now.toISOString().replaceAll(/[:.]/g, '-')}.json`;
    await writeOutput(path.join(this.#folder, name), await readFile(path.join(this.#folder, LATEST)));
  }

  /** The newest; other files are passed over. */
  async newest(): Promise<Certificate[]> {
    const names = (await this.#names()).slice(0, LISTED_MAX);
    const found = await this.#read(names);
    return found.sort((a, b) => (a.issuedAt < b.issuedAt ? 1 : -1));
  }

  /**
   * Removes what `superfluous` names of those that were kept by their date. Answers their names. Throws what the file
   * system throws.
   */
  async prune(keep: number, isNamed: (text: string) => boolean): Promise<readonly string[]> {
    const names = (await this.#names()).filter((name) => BY_DATE.test(name));
    if (names.length <= keep) return [];
    const removed = superfluous(await this.#read(names), keep, isNamed).map(({ file }) => file);
    for (const file of removed) await unlink(path.join(this.#folder, file));
    return removed;
  }

  /** Those with a date begin with the newest. */
  async #names(): Promise<string[]> {
    const names = await readdir(this.#folder).catch((): string[] => []);
    const present = new Set(names);
    for (const name of this.#known.keys()) if (!present.has(name)) this.#known.delete(name);
    return names
      .filter((name) => name !== LATEST)
      .sort()
      .toReversed();
  }

  async #read(names: readonly string[]): Promise<Certificate[]> {
    const found: Certificate[] = [];
    for (const name of names) {
      const certificate = await this.#readOne(name);
      if (certificate !== null) found.push(certificate);
    }
    return found;
  }

  async #readOne(name: string): Promise<Certificate | null> {
    const file = path.join(this.#folder, name);
    const status = await stat(file).catch(() => null);
    if (status === null) return null;
    const mark = `${status.ino}/${status.mtimeMs}/${status.size}`;
    const known = this.#known.get(name);
    if (known?.mark === mark) return known.certificate;
    const certificate = await certificateIn(file);
    this.#known.set(name, { mark, certificate });
    return certificate;
  }
}

/** Null: it is none that we can read. */
async function certificateIn(file: string): Promise<Certificate | null> {
  try {
    const { payload } = parseEnvelope(await readCertificateFile(file));
    const parsed = statementSchema.safeParse(JSON.parse(payload.toString('utf8')));
    if (!parsed.success) return null;
    const { verdict, issuedAt, expiresAt } = parsed.data.predicate;
    return {
      file: path.basename(file),
      candidate: null,
      verdict: verdict.verdict,
      issuedAt,
      expiresAt,
      sha256: sha256(payload),
    };
  } catch (error) {
    if (error instanceof TwinproofError || error instanceof SyntaxError) return null;
    throw error;
  }
}
