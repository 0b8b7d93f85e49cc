import { readFile, stat } from 'node:fs/promises';
import { parseEnvelope } from '../certificate/envelope-parse.ts';
import { TwinproofError } from '../errors.ts';

/** What is longer is not searched. */
const RECORD_BYTES_MAX = 64 * 1024 * 1024;

/**
 * Everything that the record of decisions says, to look in it for what must not be removed: signatures are not checked,
 * since one too many only keeps more. Null: it is there and cannot be read, so that nobody knows what it names. `file`
 * null: no decision is recorded.
 */
export async function decisionText(file: string | null): Promise<string | null> {
  if (file === null) return '';
  try {
    if ((await stat(file)).size > RECORD_BYTES_MAX) return null;
    const lines = (await readFile(file, 'utf8')).split('\n');
    // What stands behind the last end of a line is being written at this moment, or was cut off by a crash.
    const payloads = lines.slice(0, -1).map((line) => parseEnvelope(line).payload.toString('utf8'));
    return [...payloads, ...lines.slice(-1)].join('\n');
  } catch (error) {
    if (error instanceof TwinproofError) return null;
    if (error instanceof Error && 'code' in error) return error.code === 'ENOENT' ? '' : null;
    throw error;
  }
}
