import { z } from 'zod';
import type { MirrorConfig } from './kafka.ts';
import { type KafkaPieces, mirrorSchema } from './kafka-schema.ts';

/** The section `ledger` of the configuration. */
export interface LedgerSection {
  /** Absolute. */
  readonly path: string;
  /** How much of the journal is kept, in milliseconds and in bytes; null: not bounded by this. */
  readonly retention: { readonly time: number | null; readonly size: number | null };
  /** Where it is written to as well. Absent: nowhere. */
  readonly mirror?: MirrorConfig | undefined;
}

/** `ledger: { path: …, retention: { time: 72h, size: 20GiB }, mirror: … }` */
export function ledgerSchema(pieces: KafkaPieces): z.ZodType<LedgerSection> {
  const { file, duration, size } = pieces;
  return z.strictObject({
    path: file,
    retention: z
      .strictObject({ time: duration.nullable().default(null), size: size.nullable().default(null) })
      .default({ time: null, size: null }),
    mirror: mirrorSchema(pieces).optional(),
  });
}
