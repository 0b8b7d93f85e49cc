import { z } from 'zod';
import type { Store } from './store.ts';

const NAME = 'rebuilt';

const big = z.string().transform((text) => BigInt(text));
const rebuiltSchema = z.object({
  from: z.string(),
  epoch: z.string(),
  /** Microseconds: on the clock of whoever rebuilt it, and when the mirror last said how far it was, on its writer's. */
  atUs: big,
  reachedAtUs: big,
});

/** Where a ledger was rebuilt from. Every proof of before is void: it was about the candidates of another watch. */
export type RebuiltFrom = z.infer<typeof rebuiltSchema>;

/** Null: this ledger was never rebuilt. */
export function rebuiltFrom(store: Store): RebuiltFrom | null {
  return store.read(NAME, rebuiltSchema);
}

/** Within a transaction of the store. */
export function writeRebuilt(store: Store, { from, epoch, atUs, reachedAtUs }: RebuiltFrom): void {
  store.write(NAME, { from, epoch, atUs: atUs.toString(), reachedAtUs: reachedAtUs.toString() });
}
