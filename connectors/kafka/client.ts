import { readFile } from 'node:fs/promises';
import kafkajs, { type Kafka, type KafkaConfig, type SASLOptions } from 'kafkajs';
import type { KafkaAddress } from '../../src/config/kafka.ts';
import { messageOf, TwinproofError } from '../../src/errors.ts';

const CONNECT_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 30_000;
/** Of one request, within the library; what lasts longer is ours to try again, or to tell. */
const RETRIES = 4;

/** Connects to nothing yet. Throws TP-TLS when the file of the authority cannot be read. */
export async function kafkaClient({ brokers, tls, sasl }: KafkaAddress): Promise<Kafka> {
  const config: KafkaConfig = {
    clientId: 'twinproof',
    brokers: [...brokers],
    connectionTimeout: CONNECT_TIMEOUT_MS,
    authenticationTimeout: CONNECT_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    retry: { retries: RETRIES, initialRetryTime: 200, maxRetryTime: 5000 },
    // Its messages are text for programmers; what matters comes as errors and events.
    logLevel: kafkajs.logLevel.NOTHING,
    ...(tls === null ? {} : { ssl: tls.ca === null ? {} : { ca: [await authorityIn(tls.ca)] } }),
  };
  return new kafkajs.Kafka(sasl === null ? config : { ...config, sasl: saslOf(sasl) });
}

async function authorityIn(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new TwinproofError('TP-TLS', {
      message: `the certificate authority of the brokers cannot be read: ${messageOf(error)}`,
      hint: 'check `kafka.tls.ca` of the configuration, or `ca` in the address',
      cause: error,
    });
  }
}

function saslOf({ mechanism, user, password }: NonNullable<KafkaAddress['sasl']>): SASLOptions {
  return { mechanism, username: user, password: password.reveal() };
}
