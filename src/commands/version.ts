import { readFileSync } from 'node:fs';

/** The version in package.json, which lies one folder higher when the program runs compiled. */
export function toolVersion(): string {
  for (const path of ['../../package.json', '../../../package.json']) {
    const version = versionIn(new URL(path, import.meta.url));
    if (version !== null) return version;
  }
  return 'unknown';
}

function versionIn(file: URL): string | null {
  try {
    const content: unknown = JSON.parse(readFileSync(file, 'utf8'));
    if (typeof content !== 'object' || content === null || !('name' in content) || !('version' in content))
      return null;
    return content.name === 'twinproof' && typeof content.version === 'string' ? content.version : null;
  } catch {
    return null;
  }
}
