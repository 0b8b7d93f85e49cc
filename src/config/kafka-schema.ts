import { z } from 'zod';
import { type KafkaConfig, SASL_MECHANISMS } from './kafka.ts';
import type { Secret } from './secret.ts';

const BUFFER_BYTES = 4 * 1024 * 1024;
const BUFFER_BYTES_MIN = 64 * 1024;
const BUFFER_BYTES_MAX = 256 * 1024 * 1024;

/** The pieces that know variables and folders. */
export interface KafkaPieces {
  readonly words: z.ZodType<string>;
  /** An absolute path. */
  readonly file: z.ZodType<string>;
  /** Bytes. */
  readonly size: z.ZodType<number>;
  readonly secret: z.ZodType<Secret>;
}

/** `kafka: { brokers: [host:9092], tls: …, sasl: …, publish: { topic: … } }` */
export function kafkaSchema({ words, file, size, secret }: KafkaPieces): z.ZodType<KafkaConfig> {
  const broker = words.refine((text) => /^(?:\[[\da-f:.]+\]|[^\s:/@]+):\d{1,5}$/i.test(text), {
    error: 'a broker is written as host:port',
  });
  const topic = words.refine((text) => /^[\w.-]{1,249}$/.test(text), {
    error: 'the name of a topic is 1 to 249 letters, digits, dots, underscores and hyphens',
  });
  const tls = z.union([
    z.boolean().transform((on) => (on ? { ca: null } : null)),
    z.strictObject({ ca: file.nullable().default(null) }),
  ]);
  return z
    .strictObject({
      brokers: z.array(broker).min(1, { error: 'at least one broker is wanted' }),
      tls: tls.default(null),
      sasl: z
        .strictObject({ mechanism: z.enum(SASL_MECHANISMS), user: words, password: secret })
        .nullable()
        .default(null),
      publish: z
        .strictObject({
          topic,
          buffer: size
            .refine((bytes) => bytes >= BUFFER_BYTES_MIN && bytes <= BUFFER_BYTES_MAX, {
              error: 'the buffer is between 64KiB and 256MiB',
            })
            .default(BUFFER_BYTES),
        })
        .nullable()
        .default(null),
    })
    .refine(({ sasl, tls: encrypted }) => sasl?.mechanism !== 'plain' || encrypted !== null, {
      error:
        'with the mechanism plain the password goes over the network as it is: turn on tls, or use scram',
    });
}
