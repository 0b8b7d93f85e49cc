import { z } from 'zod';
import { type KafkaConfig, type MirrorConfig, SASL_MECHANISMS } from './kafka.ts';
import type { Secret } from './secret.ts';

const BUFFER_BYTES = 4 * 1024 * 1024;
const BUFFER_BYTES_MIN = 64 * 1024;
const BUFFER_BYTES_MAX = 256 * 1024 * 1024;
const SYSTEM = '{system}';
const MIRROR_TOPIC = `twinproof.ledger.${SYSTEM}`;
const RENEW_MS = 86_400_000;
const RENEW_MS_MIN = 600_000;

/** The pieces that know variables and folders. */
export interface KafkaPieces {
  readonly words: z.ZodType<string>;
  /** An absolute path. */
  readonly file: z.ZodType<string>;
  /** Milliseconds. */
  readonly duration: z.ZodType<number>;
  /** Bytes. */
  readonly size: z.ZodType<number>;
  readonly secret: z.ZodType<Secret>;
}

/** Where a cluster is, and who logs in there: `brokers`, `tls`, `sasl`. */
function addressShape({ words, file, secret }: KafkaPieces) {
  const broker = words.refine((text) => /^(?:\[[\da-f:.]+\]|[^\s:/@]+):\d{1,5}$/i.test(text), {
    error: 'a broker is written as host:port',
  });
  const tls = z.union([
    z.boolean().transform((on) => (on ? { ca: null } : null)),
    z.strictObject({ ca: file.nullable().default(null) }),
  ]);
  return {
    brokers: z.array(broker).min(1, { error: 'at least one broker is wanted' }),
    tls: tls.default(null),
    sasl: z
      .strictObject({ mechanism: z.enum(SASL_MECHANISMS), user: words, password: secret })
      .nullable()
      .default(null),
  };
}

function isProtected({ sasl, tls }: Pick<KafkaConfig, 'sasl' | 'tls'>): boolean {
  return sasl?.mechanism !== 'plain' || tls !== null;
}
const BARE =
  'with the mechanism plain the password goes over the network as it is: turn on tls, or use scram';

/** `kafka: { brokers: [host:9092], tls: …, sasl: …, publish: { topic: … } }` */
export function kafkaSchema(pieces: KafkaPieces): z.ZodType<KafkaConfig> {
  const topic = pieces.words.refine((text) => /^[\w.-]{1,249}$/.test(text), {
    error: 'the name of a topic is 1 to 249 letters, digits, dots, underscores and hyphens',
  });
  return z
    .strictObject({
      ...addressShape(pieces),
      publish: z
        .strictObject({
          topic,
          buffer: pieces.size
            .refine((bytes) => bytes >= BUFFER_BYTES_MIN && bytes <= BUFFER_BYTES_MAX, {
              error: 'the buffer is between 64KiB and 256MiB',
            })
            .default(BUFFER_BYTES),
        })
        .nullable()
        .default(null),
    })
    .refine(isProtected, { error: BARE });
}

/** `ledger.mirror: { brokers: [host:9092], tls: …, sasl: …, topic: dr.ledger.{system}, renew: 24h }` */
export function mirrorSchema(pieces: KafkaPieces): z.ZodType<MirrorConfig> {
  return z
    .strictObject({
      ...addressShape(pieces),
      topic: pieces.words
        .refine((text) => /^[\w.-]{1,249}$/.test(text.replaceAll(SYSTEM, '')), {
          error:
            'the name of a topic is 1 to 249 letters, digits, dots, underscores and hyphens, and {system} once or more',
        })
        .default(MIRROR_TOPIC),
      renew: pieces.duration
        .refine((ms) => ms >= RENEW_MS_MIN, { error: 'it may begin anew once in ten minutes at most' })
        .default(RENEW_MS),
    })
    .refine(isProtected, { error: BARE });
}
