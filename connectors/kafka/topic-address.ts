import path from 'node:path';
import { type KafkaAddress, SASL_MECHANISMS } from '../../src/config/kafka.ts';
import { Secret } from '../../src/config/secret.ts';
import type { SiteAddress } from '../../src/config/url.ts';
import { TwinproofError } from '../../src/errors.ts';

const PORT = 9092;
const PARAMETERS = new Set(['brokers', 'tls', 'ca', 'mechanism']);
/** `host`, `host:port`, `[address]:port` */
const BROKER = /^(\[[0-9A-Fa-f:.]+\]|[\w.-]+)(?::(\d{1,5}))?$/;
const HINT =
  'write it as kafka://host:9092/topic, with ?brokers=host2:9092,host3:9092, ?tls=true, ?ca=FILE or ?mechanism=scram-sha-512 where needed, and give the password in KAFKA_PASSWORD';

/**
 * `kafka://user@host:9093/topic?ca=FILE&mechanism=scram-sha-256`. With `tls=true` or a `ca` the connection is encrypted
 * and the host's name checked; `brokers` are others of the cluster, to be asked first should that one be down. Throws
 * TP-URL.
 */
export function topicAddress(
  { host, port, user, password, database, parameters }: SiteAddress,
  environment: Readonly<Record<string, string | undefined>>,
): { readonly kafka: KafkaAddress; readonly topic: string } {
  if (database === null || !/^[\w.-]{1,249}$/.test(database)) throw refusal('it names no topic');
  for (const name of Object.keys(parameters))
    if (!PARAMETERS.has(name)) throw refusal(`${name} is not known`);
  const { brokers, tls, ca, mechanism = 'scram-sha-512' } = parameters;
  if (tls !== undefined && tls !== 'true' && tls !== 'false') throw refusal('tls is true or false');
  const encrypted = tls === undefined ? ca !== undefined : tls === 'true';
  const known = SASL_MECHANISMS.find((one) => one === mechanism);
  if (known === undefined) throw refusal(`mechanism is one of ${SASL_MECHANISMS.join(', ')}`);
  if (user !== null && known === 'plain' && !encrypted) {
    throw refusal('with the mechanism plain the password goes over the network as it is: add tls=true');
  }
  const secret = password ?? new Secret(environment['KAFKA_PASSWORD'] ?? '');
  return {
    kafka: {
      brokers: [`${host.includes(':') ? `[${host}]` : host}:${port ?? PORT}`, ...brokersIn(brokers)],
      tls: encrypted ? { ca: ca === undefined ? null : path.resolve(ca) } : null,
      sasl: user === null ? null : { mechanism: known, user, password: secret },
    },
    topic: database,
  };
}

function brokersIn(list: string | undefined): readonly string[] {
  return (list?.split(',') ?? []).map((text) => {
    const [, host, port = String(PORT)] = BROKER.exec(text) ?? [];
    const isPort = Number(port) >= 1 && Number(port) <= 65_535;
    if (host === undefined || !isPort) throw refusal('brokers are host:port, separated by commas');
    return `${host}:${port}`;
  });
}

function refusal(problem: string): TwinproofError {
  return new TwinproofError('TP-URL', {
    message: `the address of the topic is not valid: ${problem}`,
    hint: HINT,
  });
}
