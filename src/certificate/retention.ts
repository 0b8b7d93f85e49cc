/** A certificate that is kept in a folder. */
export interface StoredCertificate {
  /** Name of its file. */
  readonly file: string;
  readonly verdict: string;
  /** Of its payload. */
  readonly sha256: string;
}

/**
 * Which certificates may go: those behind the `keep` newest, but for the newest that says SAFE and for every one that is
 * named, by its file or its digest. Pure.
 *
 * @param newestFirst all of the folder.
 */
export function superfluous(
  newestFirst: readonly StoredCertificate[],
  keep: number,
  isNamed: (text: string) => boolean,
): readonly StoredCertificate[] {
  const safe = newestFirst.findIndex(({ verdict }) => verdict === 'SAFE');
  return newestFirst.filter(
    ({ file, sha256 }, index) => index >= keep && index !== safe && !isNamed(file) && !isNamed(sha256),
  );
}
