import { codeOf, isBug, isTlsCode, isUnreachable } from '../../src/connector/network-failure.ts';
import { messageOf, TwinproofError } from '../../src/errors.ts';

/** Errors of the brokers by name (Kafka protocol guide, "Error Codes"). */
const REFUSED = new Set([
  'TOPIC_AUTHORIZATION_FAILED',
  'GROUP_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
  'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
]);
const LOGIN = new Set(['SASL_AUTHENTICATION_FAILED', 'UNSUPPORTED_SASL_MECHANISM', 'ILLEGAL_SASL_STATE']);
const MISSING = new Set(['UNKNOWN_TOPIC_OR_PARTITION', 'INVALID_TOPIC_EXCEPTION']);
/** Of the broker that looks after a group: it is not chosen yet, or still reads what it knows of it. */
const PASSING = new Set([
  'GROUP_LOAD_IN_PROGRESS',
  'GROUP_COORDINATOR_NOT_AVAILABLE',
  'NOT_COORDINATOR_FOR_GROUP',
]);
const STALE = new Set([
  'UNKNOWN_TOPIC_OR_PARTITION',
  'LEADER_NOT_AVAILABLE',
  'NOT_LEADER_FOR_PARTITION',
  'REPLICA_NOT_AVAILABLE',
  'KAFKA_STORAGE_ERROR',
  'FENCED_LEADER_EPOCH',
  'UNKNOWN_LEADER_EPOCH',
  'OFFSET_NOT_AVAILABLE',
  // A leader that was just chosen is believed when it says so again.
  'OFFSET_OUT_OF_RANGE',
]);
const LEADERLESS = new Set(['LEADER_NOT_AVAILABLE', 'REPLICA_NOT_AVAILABLE', 'KAFKA_STORAGE_ERROR']);
/** A broker says nothing else to what it does not understand. */
const HUNG_UP = '; they also hang up where they want TLS or a login and get none, or the other way round';
const CAUSES_MAX = 5;

/** An error of kafkajs, of the socket or of a broker as one of ours. What is one of ours already stays. */
export function kafkaFailure(error: unknown): Error {
  const chain = causesOf(error);
  const own = chain.find((one) => one instanceof TwinproofError);
  if (own !== undefined) return own;
  const types = chain.map((one) => textOf(one, 'type'));
  const codes = chain.map(codeOf);
  const names = new Set(chain.map((one) => one.name));
  const message = messageOf(chain.at(-1) ?? error);
  const detail = { message, cause: error };
  if (isRefused(error)) {
    return new TwinproofError('TP-PERMISSION', {
      ...detail,
      hint: 'an ACL is missing: READ and DESCRIBE on the topics, DESCRIBE on the groups whose offsets are asked for, WRITE on a topic to publish to',
    });
  }
  // What the brokers answered is lost in the library; a group that may not be read is by far the most frequent cause.
  if (names.has('KafkaJSGroupCoordinatorNotFound')) {
    return new TwinproofError('TP-PERMISSION', {
      message: 'no broker says who looks after the consumer group',
      cause: error,
      hint: 'an ACL is missing: DESCRIBE on the group; if it is there, see whether the brokers are well',
      retryable: true,
    });
  }
  if (types.some((type) => LOGIN.has(type)) || names.has('KafkaJSSASLAuthenticationError')) {
    return new TwinproofError('TP-AUTH', { ...detail, hint: 'check user, password and SASL mechanism' });
  }
  if (types.some((type) => MISSING.has(type))) {
    return new TwinproofError('TP-STREAM-SETUP', { ...detail, hint: 'check the name of the topic' });
  }
  if (codes.some((code) => code !== null && isTlsCode(code))) {
    return new TwinproofError('TP-TLS', {
      ...detail,
      hint: 'check the authority (`ca`), that the certificate names this host, and that this is a port with TLS',
    });
  }
  if (codes.some((code) => code !== null && isUnreachable(code)) || names.has('KafkaJSConnectionError')) {
    return new TwinproofError('TP-UNREACHABLE', {
      ...detail,
      hint: `check host, port, firewall and that the brokers run${HUNG_UP}`,
      retryable: true,
    });
  }
  const bug = chain.find(isBug);
  if (bug !== undefined) return bug;
  const closed = names.has('KafkaJSConnectionClosedError');
  const leaderless = types.some((type) => LEADERLESS.has(type));
  const hint = closed
    ? { hint: `the brokers hung up: see whether they run${HUNG_UP}` }
    : leaderless
      ? {
          hint: 'a partition has no leader: see which broker is down (kafka-topics --describe --unavailable-partitions)',
        }
      : {};
  return new TwinproofError('TP-CONNECTION-LOST', { ...detail, ...hint, retryable: true });
}

/** Whether an ACL is missing. */
export function isRefused(error: unknown): boolean {
  return causesOf(error).some((one) => REFUSED.has(textOf(one, 'type')));
}

/** Whether the brokers will answer in a moment. */
export function isPassing(error: unknown): boolean {
  return causesOf(error).some((one) => PASSING.has(textOf(one, 'type')));
}

/** Whether another broker may know better, or this one in a moment: a partition has, or had, another leader. */
export function isStale(error: unknown): boolean {
  return causesOf(error).some((one) => STALE.has(textOf(one, 'type')));
}

/** Whether a connection that was there is gone. */
export function isHungUp(error: unknown): boolean {
  const chain = causesOf(error);
  const isClosed = chain.some(
    ({ name }) => name === 'KafkaJSConnectionClosedError' || name === 'KafkaJSConnectionError',
  );
  return isClosed || chain.some((one) => isUnreachable(codeOf(one) ?? ''));
}

/** The error, and what it was thrown for: kafkajs wraps errors of retries in `cause` or `originalError`. */
function causesOf(error: unknown): Error[] {
  const chain: Error[] = [];
  for (let one: unknown = error; one instanceof Error && chain.length < CAUSES_MAX;) {
    if (chain.includes(one)) break;
    chain.push(one);
    one = one.cause ?? ('originalError' in one ? one.originalError : undefined);
  }
  return chain;
}

function textOf(error: Error, name: 'type'): string {
  return name in error && typeof error[name] === 'string' ? error[name] : '';
}
