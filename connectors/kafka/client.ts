import { Kafka, type KafkaConfig, logLevel, type SASLOptions } from 'kafkajs';
import type { Secret } from '../../src/config/secret.ts';

/** Where a Kafka cluster is, and who logs in there. */
export interface KafkaTarget {
  /** `host:port` */
  readonly brokers: readonly string[];
  /** Null: no TLS. The host name is checked. `ca`: PEM text; null: the authorities of the system. */
  readonly tls: { readonly ca: string | null } | null;
  readonly sasl: {
    readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
    readonly user: string;
    readonly password: Secret;
  } | null;
}

const CONNECT_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 30_000;
/** Of one request, within the library; what lasts longer is ours to try again, or to tell. */
const RETRIES = 4;

export function kafkaClient(target: KafkaTarget): Kafka {
  const config: KafkaConfig = {
    clientId: 'twinproof',
    brokers: [...target.brokers],
    connectionTimeout: CONNECT_TIMEOUT_MS,
    authenticationTimeout: CONNECT_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    retry: { retries: RETRIES, initialRetryTime: 200, maxRetryTime: 5000 },
    // Its messages are text for programmers; what matters comes as errors and events.
    logLevel: logLevel.NOTHING,
    ...(target.tls === null ? {} : { ssl: target.tls.ca === null ? {} : { ca: [target.tls.ca] } }),
  };
  return new Kafka(target.sasl === null ? config : { ...config, sasl: saslOf(target.sasl) });
}

function saslOf({ mechanism, user, password }: NonNullable<KafkaTarget['sasl']>): SASLOptions {
  return { mechanism, username: user, password: password.reveal() };
}
