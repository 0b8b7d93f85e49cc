import { z } from 'zod';
import { type KafkaPieces, mirrorSchema } from './kafka-schema.ts';
import type { LedgerConfig } from './schema.ts';

/** `ledger: { path: …, retention: { time: 72h, size: 20GiB }, mirror: … }` */
export function ledgerSchema(pieces: KafkaPieces): z.ZodType<LedgerConfig> {
  const { file, duration, size } = pieces;
  return z.strictObject({
    path: file,
    retention: z
      .strictObject({ time: duration.nullable().default(null), size: size.nullable().default(null) })
      .default({ time: null, size: null }),
    mirror: mirrorSchema(pieces).optional(),
  });
}
