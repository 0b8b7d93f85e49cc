/**
 * lower_case_table_names (MySQL manual, "Identifier Case Sensitivity"): names are kept as they are written and told
 * apart by capitals; are kept in lower case; or are kept as they are written, with capitals telling nothing apart.
 */
export type NameCase = '0' | '1' | '2';

/**
 * As the catalog and the log's rows have the name of a database or table that a statement writes so: statements stand in
 * the log as they were given. Null: that cannot be said. Pure.
 */
export function storedName(written: string, nameCase: NameCase): string | null {
  if (nameCase === '0') return written;
  const lower = written.toLowerCase();
  // What other letters become is by the server's own tables.
  const isCertain = nameCase === '1' && (lower === written || /^[\0-\x7f]*$/.test(written));
  return isCertain ? lower : null;
}
