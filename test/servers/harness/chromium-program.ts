import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import path from 'node:path';
import { type Browser, chromium } from 'playwright-core';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome'];

/** The browser's program: `TWINPROOF_CHROMIUM`, or the first one on the path (Debian: `apt-get install chromium`). */
export async function findChromium(): Promise<string | null> {
  const named = process.env['TWINPROOF_CHROMIUM'];
  const folders = (process.env['PATH'] ?? '').split(path.delimiter);
  const places =
    named === undefined ? folders.flatMap((folder) => NAMES.map((name) => path.join(folder, name))) : [named];
  for (const place of places) {
    if (
      await access(place, constants.X_OK).then(
        () => true,
        () => false,
      )
    )
      return place;
  }
  return null;
}

/** Throws where there is none. */
export async function launchChromium(): Promise<Browser> {
  const executablePath = await findChromium();
  if (executablePath === null)
    throw new Error('no Chromium: apt-get install chromium, or set TWINPROOF_CHROMIUM');
  // Without a sandbox of its own: containers and root have none to give, and the pages are ours.
  const args = ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'];
  return await chromium.launch({ executablePath, args });
}
