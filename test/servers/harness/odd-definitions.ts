import { expect } from 'vitest';
import type { ObjectFamily } from '../../../src/connector/facts-postgres.ts';
import type { Cluster } from '../../../src/demo/cluster.ts';
import { openVerifier } from './readiness.ts';
import { forever } from './server-set.ts';

/** Indexes and constraints of every form that is printed in its own way, beside plain ones, in the schema `odd`. */
export function oddDefinitions(version: number): string {
  const since15 = `CREATE UNIQUE INDEX ON odd.item (owner) NULLS NOT DISTINCT;
    ALTER TABLE odd.item ADD UNIQUE NULLS NOT DISTINCT (place);
    CREATE TABLE odd.follower (a int, b int, FOREIGN KEY (a, b) REFERENCES odd.pair (a, b) ON DELETE SET NULL (b));`;
  const since18 = `CREATE TABLE odd.booking (id int, during tsrange, PRIMARY KEY (id, during WITHOUT OVERLAPS));
    ALTER TABLE odd.item ADD CONSTRAINT wished CHECK (amount < 100) NOT ENFORCED;
    ALTER TABLE odd.item ADD CONSTRAINT somewhere FOREIGN KEY (place) REFERENCES odd.place (id) NOT ENFORCED;`;
  return `CREATE EXTENSION btree_gist; CREATE SCHEMA odd;
    CREATE TYPE odd.mood AS ENUM ('calm', 'wild'); CREATE DOMAIN odd.code AS text;
    CREATE TABLE odd.place (id int PRIMARY KEY, "select" text UNIQUE);
    CREATE TABLE odd.pair (a int, b int, PRIMARY KEY (a, b));
    CREATE TABLE odd.item ("Id" bigint PRIMARY KEY, owner varchar(20), note text COLLATE "C", mood odd.mood, code odd.code,
      tags text[], body jsonb, amount numeric, place int REFERENCES odd.place (id), "a,b" name, fixed char(3),
      CHECK (amount > 0), CHECK (item IS NOT NULL) NO INHERIT, CONSTRAINT both_of CHECK (amount > 1 AND owner <> 'a, b'));
    CREATE TABLE odd.twin (id int, amount numeric, CHECK (amount > 0));
    CREATE TABLE odd.other (id int, amount numeric, CHECK (amount > 0));
    CREATE TABLE odd.named (id int, volume numeric, CHECK (volume > 0));
    CREATE TABLE odd.whole (id int, CHECK (whole IS NOT NULL)); CREATE TABLE odd.entire (id int, CHECK (entire IS NOT NULL));
    CREATE INDEX ON odd.item (owner); CREATE INDEX ON odd.item (note); CREATE INDEX ON odd.item (note COLLATE "default");
    CREATE INDEX ON odd.item (owner COLLATE "C"); CREATE INDEX ON odd.item (owner text_pattern_ops);
    CREATE INDEX ON odd.item (owner bpchar_ops); CREATE INDEX ON odd.item ("a,b");
    CREATE INDEX ON odd.item (fixed); CREATE INDEX ON odd.item (mood); CREATE INDEX ON odd.item (code);
    CREATE INDEX ON odd.item USING gin (tags); CREATE INDEX ON odd.item USING gin (body jsonb_path_ops);
    CREATE INDEX ON odd.item USING gist (amount); CREATE INDEX ON odd.item USING brin ("Id");
    CREATE INDEX ON odd.item USING hash (owner); CREATE INDEX ON odd.item (lower(owner)); CREATE INDEX ON odd.item ((1));
    CREATE INDEX ON odd.item (amount, lower(owner), place); CREATE INDEX ON odd.item (amount DESC, place NULLS FIRST);
    CREATE INDEX ON odd.item (place, amount, "Id"); CREATE INDEX ON odd.item (place) INCLUDE (owner);
    CREATE INDEX ON odd.item (place) WHERE amount > 5; CREATE INDEX ON odd.item (amount) WITH (fillfactor = 70);
    CREATE UNIQUE INDEX ON odd.item (amount, owner); ALTER TABLE odd.item ADD UNIQUE (amount) DEFERRABLE;
    ALTER TABLE odd.item ADD EXCLUDE USING gist (place WITH =);
    ALTER TABLE odd.item ADD FOREIGN KEY (place) REFERENCES odd.place (id) ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED;
    ALTER TABLE odd.item ADD CONSTRAINT late FOREIGN KEY (place) REFERENCES odd.place (id) NOT VALID;
    ALTER TABLE odd.item ADD CONSTRAINT quoted FOREIGN KEY (note) REFERENCES odd.place ("select");
    ALTER TABLE odd.item ADD CONSTRAINT unchecked CHECK (amount > 0) NOT VALID;
    CREATE TABLE odd.parted (id int, at date, CHECK (id > 0)) PARTITION BY RANGE (at);
    CREATE INDEX ON odd.parted (id); CREATE TABLE odd.part PARTITION OF odd.parted FOR VALUES FROM ('2026-01-01') TO (MAXVALUE);
    CREATE MATERIALIZED VIEW odd.seen AS SELECT id FROM odd.twin; CREATE INDEX ON odd.seen (id);
    ${version >= 15 ? since15 : ''} ${version >= 18 ? since18 : ''}`;
}

/** What the server's own functions print, as it is told of each object. */
const PRINTED = `SELECT k.contype IN ('c', 'f') AS constrains, k.contype IN ('p', 'u', 'x') AS keeps,
    n.nspname || '.' || c.relname || ': ' || pg_get_constraintdef(k.oid) AS text
  FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = 'odd' AND k.contype <> 'n'
  UNION ALL SELECT false, false, n.nspname || '.' || c.relname || ': '
    || replace(pg_get_indexdef(i.indexrelid), ' ' || quote_ident(x.relname) || ' ON ', ' ON ')
  FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_class x ON x.oid = i.indexrelid WHERE n.nspname = 'odd'
    AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x'))`;

/** Readiness tells of the indexes and constraints of `odd` what the server's own functions print of them. */
export async function expectServerWords(cluster: Cluster): Promise<void> {
  const rows = await cluster.sql(`SET search_path = pg_catalog; ${PRINTED}`);
  const site = await openVerifier(cluster.url('postgres', 'verifier'), forever());
  try {
    const { postgres } = await site.readiness(forever(), { pair: 'logical', as: 'primary' });
    const objects = postgres?.logical?.objects;
    if (objects?.known !== true) throw new Error('the catalog was not read');
    const told = (family: ObjectFamily): readonly string[] =>
      objects.value
        .filter((one) => one.family === family && one.name.startsWith('odd.'))
        .map(({ name }) => name)
        .sort();
    const printed = (constrains: boolean, keeps: boolean): readonly string[] =>
      rows
        .filter((row) => row['constrains'] === constrains && row['keeps'] === keeps)
        .map(({ text }) => String(text))
        .sort();
    expect(told('index')).toEqual(printed(false, false));
    expect(told('constraint')).toEqual(printed(true, false));
    expect(told('key')).toEqual(printed(false, true));
    expect(told('index').length).toBeGreaterThan(25);
  } finally {
    await site.close();
  }
}
