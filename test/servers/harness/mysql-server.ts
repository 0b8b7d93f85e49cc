import { join } from 'node:path';
import { createMysqlHome, MysqlServer } from '../../../src/demo/mysql-server.ts';
import type { MysqlSettings } from '../../../src/demo/mysql-settings.ts';
import { type MysqlFlavor, type MysqlRelease, findMysql } from './mysql-installation.ts';
import { copyFolder, templateFolder } from './mysql-template.ts';
import { makeCertificates } from './mysql-tls.ts';

export type { MysqlServer };

export interface MysqlServerOptions {
  readonly flavor: MysqlFlavor;
  /** Default `lts`: MySQL 9.7, MariaDB 10.11; `next`: MariaDB 11.8. */
  readonly release?: MysqlRelease;
  /** Used in messages. */
  readonly name?: string;
  /** Added to, and stronger than, the defaults of mysql-settings.ts. */
  readonly settings?: MysqlSettings;
  /** Offers TLS with a certificate for localhost and 127.0.0.1, or for another host; default: no TLS at all. */
  readonly tls?: boolean | 'other-host';
}

/** Makes and starts a server; about a second. @throws Error when it cannot run here. Nothing is left behind. */
export async function createMysqlServer(options: MysqlServerOptions): Promise<MysqlServer> {
  const installation = await findMysql(options.flavor, options.release);
  const template = await templateFolder(installation, options.settings?.['lower_case_table_names']);
  const paths = await createMysqlHome(installation);
  const { tls = false, settings = {}, name = options.flavor } = options;
  const at = (file: string): string => join(paths.home, file);
  const secure =
    tls === false ? {} : { ssl_ca: paths.authority, ssl_cert: at('cert.pem'), ssl_key: at('key.pem') };
  const server = new MysqlServer(installation, paths, name, { ...secure, ...settings });
  try {
    if (tls !== false) await makeCertificates(paths.home, tls === 'other-host', installation.user);
    await copyFolder(template, paths.data);
    await server.start();
    return server;
  } catch (error) {
    await server.destroy();
    throw error;
  }
}
