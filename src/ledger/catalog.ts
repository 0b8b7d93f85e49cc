import type { StreamedTable } from '../connector/changes.ts';
import { TwinproofError } from '../errors.ts';
import { newRelation, type Relation, type RelationDefinition } from './relation.ts';

/** The relations of a ledger by number, and which of them each table has now. In memory; the store keeps what is applied. */
export class Catalog {
  readonly #relations = new Map<number, Relation>();
  readonly #current = new Map<string, Relation>();
  #streamed = new WeakMap<StreamedTable, Relation>();
  /** What `ofStreamed` answered last: a row mostly follows another of its table. */
  #lastTable: StreamedTable | null = null;
  #lastRelation: Relation | null = null;
  #next = 1;
  /** Relations whose stored form is older than this one. */
  readonly changed = new Set<Relation>();

  load(relations: readonly Relation[]): void {
    for (const relation of relations) {
      this.#relations.set(relation.number, relation);
      this.#next = Math.max(this.#next, relation.number + 1);
      if (relation.endedAt === null) this.#current.set(relation.table, relation);
    }
  }

  get nextNumber(): number {
    return this.#next;
  }

  /** In the order in which they began. */
  all(): Relation[] {
    return [...this.#relations.values()].sort((a, b) => a.number - b.number);
  }

  current(): Relation[] {
    return [...this.#current.values()];
  }

  byNumber(number: number): Relation | null {
    return this.#relations.get(number) ?? null;
  }

  ofTable(id: string): Relation | null {
    return this.#current.get(id) ?? null;
  }

  /** The relation that rows of this definition event belong to, which must have been taken before them. */
  ofStreamed(table: StreamedTable): Relation {
    if (table === this.#lastTable && this.#lastRelation?.endedAt === null) return this.#lastRelation;
    const known = this.#streamed.get(table) ?? null;
    // A truncation or void since then: the same definition, the next generation.
    const relation = known === null || known.endedAt === null ? known : this.#rebind(table, known);
    if (relation === null) throw new TwinproofError('TP-BUG', { message: 'a change before its definition' });
    this.#lastTable = table;
    this.#lastRelation = relation;
    return relation;
  }

  bind(table: StreamedTable, relation: Relation): void {
    this.#streamed.set(table, relation);
    this.#lastTable = null;
  }

  /** Begins a generation at a place of the journal; the one before it ends there. Taking it again changes nothing. */
  begin(definition: RelationDefinition, at: number): Relation {
    const known = this.#relations.get(definition.number);
    if (known !== undefined) return known;
    const before = this.#current.get(definition.table);
    if (before !== undefined) {
      before.endedAt = at;
      this.changed.add(before);
    }
    const relation = newRelation(definition, at, before ?? null);
    this.#relations.set(relation.number, relation);
    this.#current.set(relation.table, relation);
    this.#next = Math.max(this.#next, relation.number + 1);
    this.changed.add(relation);
    return relation;
  }

  /** From a place of the journal on every row of a generation is known. What was known before stays. */
  complete(number: number, at: number): void {
    const relation = this.#relations.get(number);
    if (relation === undefined || relation.completeFrom !== null) return;
    relation.completeFrom = at;
    this.changed.add(relation);
  }

  /** The generation that a table had just before `boundary`, a place between two transactions. */
  at(table: string, boundary: number): Relation | null {
    for (const relation of this.#relations.values()) {
      if (relation.table !== table || relation.beganAt >= boundary) continue;
      if (relation.endedAt === null || relation.endedAt >= boundary) return relation;
    }
    return null;
  }

  remove(relation: Relation): void {
    this.#relations.delete(relation.number);
    this.changed.delete(relation);
    if (this.#current.get(relation.table) === relation) this.#current.delete(relation.table);
  }

  /** Takes back every beginning from `at` on: those of a transaction that never ended. Returns the removed ones. */
  undoFrom(at: number): Relation[] {
    const removed = this.all().filter((relation) => relation.beganAt >= at);
    for (const relation of removed) this.remove(relation);
    for (const relation of this.#relations.values()) {
      if (relation.endedAt === null || relation.endedAt < at) continue;
      relation.endedAt = null;
      this.#current.set(relation.table, relation);
      this.changed.add(relation);
    }
    this.#streamed = new WeakMap();
    this.#lastTable = null;
    return removed;
  }

  #rebind(table: StreamedTable, relation: Relation): Relation | null {
    const current = this.#current.get(relation.table) ?? null;
    if (current !== null) this.#streamed.set(table, current);
    return current;
  }
}
