import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type Admin,
  AclOperationTypes,
  AclPermissionTypes,
  AclResourceTypes,
  ResourcePatternTypes,
} from 'kafkajs';
import { serverUser } from '../../../src/demo/server-user.ts';
import { createKafka, type KafkaServer } from './kafka-server.ts';
import { type BrokerSettings, SCRAM_USERS } from './kafka-template.ts';
import { makeCertificates } from './mysql-tls.ts';

/** A broker with an authorizer that lets nobody do what no ACL allows. */
export interface SecuredKafka {
  /** Its listener without protection is for the test: whoever comes in there may do everything. */
  readonly server: KafkaServer;
  /**
   * `TLS`: encrypted, no login, may do everything; `OTHER`: the same with a certificate for another host;
   * `SECURE`: encrypted, with a login of `SCRAM_USERS` by PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512; `OPEN`: such a login, not encrypted, no PLAIN.
   */
  readonly broker: (listener: 'TLS' | 'OTHER' | 'SECURE' | 'OPEN') => string;
  /** Files of the authorities of `TLS` and `SECURE`, and of `OTHER`. */
  readonly authority: string;
  readonly otherAuthority: string;
}

const PLAIN = 'org.apache.kafka.common.security.plain.PlainLoginModule';
const SCRAM = 'org.apache.kafka.common.security.scram.ScramLoginModule';

/** Makes and starts it; a few seconds. @throws Error when it cannot run here. */
export async function createSecuredKafka(): Promise<SecuredKafka> {
  const server = await createKafka(authorized(), {
    listeners: { TLS: 'SSL', OTHER: 'SSL', SECURE: 'SASL_SSL', OPEN: 'SASL_PLAINTEXT' },
    prepare: async (home) => {
      const own = await keyStore(join(home, 'tls'), false);
      const other = await keyStore(join(home, 'other'), true);
      return {
        'ssl.keystore.type': 'PEM',
        'ssl.keystore.location': own,
        'listener.name.other.ssl.keystore.type': 'PEM',
        'listener.name.other.ssl.keystore.location': other,
      };
    },
  });
  return {
    server,
    broker: (listener) => server.brokerOf(listener),
    authority: join(server.home, 'tls', 'authority.pem'),
    otherAuthority: join(server.home, 'other', 'authority.pem'),
  };
}

/** Kafka documentation, "Security": authorizer, and logins by listener and mechanism. */
function authorized(): BrokerSettings {
  const users = Object.entries(SCRAM_USERS).map(([name, password]) => ` user_${name}="${password}"`);
  const scram = `${SCRAM} required;`;
  return {
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    // Of the broker itself, and of the test.
    'super.users': 'User:ANONYMOUS',
    'listener.name.secure.sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
    'listener.name.secure.plain.sasl.jaas.config': `${PLAIN} required${users.join('')};`,
    'listener.name.secure.scram-sha-256.sasl.jaas.config': scram,
    'listener.name.secure.scram-sha-512.sasl.jaas.config': scram,
    'listener.name.open.sasl.enabled.mechanisms': 'SCRAM-SHA-512',
    'listener.name.open.scram-sha-512.sasl.jaas.config': scram,
  };
}

/** A file with key and certificate, one behind the other (Kafka documentation, "ssl.keystore.type": PEM). */
async function keyStore(folder: string, otherHost: boolean): Promise<string> {
  const user = serverUser();
  await mkdir(folder, { mode: 0o755 });
  await makeCertificates(folder, otherHost, user);
  const parts = await Promise.all(['key.pem', 'cert.pem'].map((name) => readFile(join(folder, name))));
  // Over a file of the server's: it stays its owner.
  const file = join(folder, 'key.pem');
  await writeFile(file, Buffer.concat(parts));
  return file;
}

/** What a user may do, as `operation kind name`; a name that ends in `*` is a prefix. */
export type Grant =
  `${'READ' | 'WRITE' | 'DESCRIBE' | 'DESCRIBE_CONFIGS'} ${'TOPIC' | 'GROUP' | 'CLUSTER'} ${string}`;

/** Takes effect at once on a broker of one node. */
export async function grant(admin: Admin, user: string, grants: readonly Grant[]): Promise<void> {
  await admin.createAcls({
    acl: grants.map((text) => {
      const [operation, kind, name = ''] = text.split(' ');
      const isPrefix = name.endsWith('*');
      return {
        principal: `User:${user}`,
        host: '*',
        operation: OPERATIONS[operation ?? ''] ?? AclOperationTypes.UNKNOWN,
        permissionType: AclPermissionTypes.ALLOW,
        resourceType: KINDS[kind ?? ''] ?? AclResourceTypes.UNKNOWN,
        resourceName: isPrefix ? name.slice(0, -1) : name,
        resourcePatternType: isPrefix ? ResourcePatternTypes.PREFIXED : ResourcePatternTypes.LITERAL,
      };
    }),
  });
}

const OPERATIONS: Readonly<Record<string, AclOperationTypes>> = {
  READ: AclOperationTypes.READ,
  WRITE: AclOperationTypes.WRITE,
  DESCRIBE: AclOperationTypes.DESCRIBE,
  DESCRIBE_CONFIGS: AclOperationTypes.DESCRIBE_CONFIGS,
};
const KINDS: Readonly<Record<string, AclResourceTypes>> = {
  TOPIC: AclResourceTypes.TOPIC,
  GROUP: AclResourceTypes.GROUP,
  CLUSTER: AclResourceTypes.CLUSTER,
};
