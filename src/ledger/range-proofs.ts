import { z } from 'zod';
import { type ProvenRange, withProof } from './coverage.ts';
import type { Boundary } from './state.ts';
import type { Store } from './store.ts';

const proofsSchema = z.array(
  z.object({
    from: z.string().nullable(),
    to: z.string().nullable(),
    boundary: z.int(),
    position: z.string(),
    provenAtUs: z.string(),
  }),
);

export interface RangeProof {
  readonly relation: number;
  /** Key fields in the order of the store; null: open. `to` is outside. */
  readonly from: Buffer | null;
  readonly to: Buffer | null;
  readonly boundary: Boundary;
  readonly position: string;
  readonly provenAtUs: bigint;
}

/** What was proven by ranges of keys, by the number of the candidate and relation. Writes within a transaction of the store. */
export class RangeProofs {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  of(number: number, relation: number): ProvenRange[] {
    return this.#store.read(nameOf(number, relation), proofsSchema) ?? [];
  }

  any(number: number): boolean {
    return this.#store.list(prefixOf(number), proofsSchema).length > 0;
  }

  /** Takes a proof in; it takes the place of what it overlaps. */
  add(number: number, { relation, from, to, boundary, position, provenAtUs }: RangeProof): void {
    const range: ProvenRange = {
      from: from?.toString('hex') ?? null,
      to: to?.toString('hex') ?? null,
      boundary,
      position,
      provenAtUs: provenAtUs.toString(),
    };
    this.#store.write(nameOf(number, relation), withProof(this.of(number, relation), range));
  }

  /** Forgets all of a candidate; or what is of one relation only. */
  erase(number: number, relation: number | null = null): void {
    if (relation !== null) this.#store.erase(nameOf(number, relation));
    else for (const { name } of this.#store.list(prefixOf(number), proofsSchema)) this.#store.erase(name);
  }
}

function prefixOf(number: number): string {
  return `proof:${number.toString(16).padStart(4, '0')}:`;
}

function nameOf(number: number, relation: number): string {
  return prefixOf(number) + relation.toString(16).padStart(8, '0');
}
