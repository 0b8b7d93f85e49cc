import { describe } from 'vitest';
import { MYSQL_FLAVORS, type MysqlFlavor } from './mysql-installation.ts';
import { missingMysql } from './mysql-named.ts';

/**
 * `describe` for each flavor (or those given), `%s` in the name being the flavor. One that cannot be had here is reported as skipped,
 * with the reason in its name; in CI it fails instead. To be awaited at the top of a test file.
 */
export async function describeMysql(
  name: string,
  body: (flavor: MysqlFlavor) => void,
  flavors: readonly MysqlFlavor[] = MYSQL_FLAVORS,
): Promise<void> {
  for (const flavor of flavors) {
    const missing = await missingMysql(flavor);
    const reason = missing === null ? '' : ` (${missing})`;
    describe.skipIf(missing !== null)(`${name.replace('%s', flavor)}${reason}`, () => {
      body(flavor);
    });
  }
}

/**
 * `describeMysql` of what is long and much the same on either flavor: on MariaDB in `npm test`, on MySQL in
 * `npm run test:long` (vitest.config.ts names the files), on both where neither is meant.
 */
export async function describeLongMysql(name: string, body: (flavor: MysqlFlavor) => void): Promise<void> {
  const here = process.env['TWINPROOF_FLAVOR'];
  const flavors = MYSQL_FLAVORS.filter((flavor) => here === undefined || flavor === here);
  await describeMysql(name, body, flavors);
}
