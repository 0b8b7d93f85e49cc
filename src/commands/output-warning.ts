import { TwinproofError } from '../errors.ts';
import { OutputFile } from '../report/output-file.ts';
import type { SiteIo } from './io.ts';

/**
 * Says at once that a file could not be written: the answer is printed whatever becomes of it, but who waits for hours
 * for a certificate would rather know before. Throws nothing of the file.
 */
export async function warnOfOutput(file: string, io: Pick<SiteIo, 'stderr'>): Promise<void> {
  try {
    await OutputFile.demand(file);
  } catch (error) {
    if (!(error instanceof TwinproofError)) throw error;
    io.stderr(`warning: as it stands ${error.message}; the answer will be printed all the same\n`);
  }
}
