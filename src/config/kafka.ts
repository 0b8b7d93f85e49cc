import type { Secret } from './secret.ts';

/** Where a Kafka cluster is, and who logs in there. */
export interface KafkaAddress {
  /** `host:port` */
  readonly brokers: readonly string[];
  /** Null: no TLS. The host name is checked. `ca`: absolute path of a PEM file; null: the authorities of the system. */
  readonly tls: { readonly ca: string | null } | null;
  readonly sasl: {
    readonly mechanism: SaslMechanism;
    readonly user: string;
    readonly password: Secret;
  } | null;
}

export const SASL_MECHANISMS = ['plain', 'scram-sha-256', 'scram-sha-512'] as const;
export type SaslMechanism = (typeof SASL_MECHANISMS)[number];

/** The section `kafka` of the configuration. */
export interface KafkaConfig extends KafkaAddress {
  readonly publish: {
    readonly topic: string;
    /** How many bytes of messages may wait for the brokers. */
    readonly buffer: number;
  } | null;
}

/** The section `ledger.mirror` of the configuration. */
export interface MirrorConfig extends KafkaAddress {
  /** Name of the topic, in which `{system}` stands for the system's. */
  readonly topic: string;
  /** Milliseconds after which the mirror begins from its beginning, so that what is older may go. */
  readonly renew: number;
}
