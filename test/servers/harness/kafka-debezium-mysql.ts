import { Capture, type CaptureSettings } from './kafka-debezium.ts';
import { DEBEZIUM_MYSQL } from './kafka-packages.ts';
import type { MysqlFlavor } from '../../../src/demo/mysql-installation.ts';
import type { MysqlServer } from './mysql-server.ts';
import { newServerId } from '../../../src/demo/mysql-settings.ts';

const CONNECTOR: Readonly<Record<MysqlFlavor, string>> = {
  mysql: 'io.debezium.connector.mysql.MySqlConnector',
  mariadb: 'io.debezium.connector.mariadb.MariaDbConnector',
};

/** Debezium's connector of the server's engine for each of `captures`, reading one database as `user`. */
export function captureMysql(
  server: MysqlServer,
  {
    database,
    user,
    password,
  }: { readonly database: string; readonly user: string; readonly password: string },
  captures: readonly CaptureSettings[],
): Promise<Capture> {
  return Capture.launch(DEBEZIUM_MYSQL, captures, () => ({
    'connector.class': CONNECTOR[server.flavor],
    'database.port': String(server.port),
    'database.user': user,
    'database.password': password,
    'database.server.id': newServerId(),
    'database.include.list': database,
    'database.ssl.mode': server.flavor === 'mysql' ? 'disabled' : 'disable',
    // Without TLS a password may only be sent with the server's key.
    'driver.allowPublicKeyRetrieval': 'true',
    'schema.history.internal': 'io.debezium.relational.history.MemorySchemaHistory',
  }));
}
