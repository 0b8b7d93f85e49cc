import type { ObjectFamily, SchemaObject } from '../connector/facts-postgres.ts';

type Families = ReadonlyMap<ObjectFamily, readonly SchemaObject[]>;

const SORTED = new WeakMap<readonly SchemaObject[], Families>();

/** Those of one family. A dozen rules ask, each for its own: a large catalog is gone through once. */
export function objectsOf(objects: readonly SchemaObject[], family: ObjectFamily): readonly SchemaObject[] {
  const known = SORTED.get(objects);
  const families = known ?? sorted(objects);
  if (known === undefined) SORTED.set(objects, families);
  return families.get(family) ?? [];
}

function sorted(objects: readonly SchemaObject[]): Families {
  const families = new Map<ObjectFamily, SchemaObject[]>();
  for (const one of objects) {
    const list = families.get(one.family);
    if (list === undefined) families.set(one.family, [one]);
    else list.push(one);
  }
  return families;
}
