/** The bench's table: eight columns of the usual kinds, about 110 bytes a row on the wire. */
const COLUMNS = `customer int, status text, amount numeric(12,2), note text, paid boolean,
  created timestamptz, shipped timestamptz`;

const VALUES = `(i * 7919 % 100000)::int, (array['new','paid','shipped','closed'])[1 + i % 4],
  (i * 31 % 1000000) / 100.0, case when i % 5 = 0 then null else md5(i::text) end, i % 2 = 0,
  timestamptz '2024-01-01' + i * interval '1 second',
  case when i % 3 = 0 then null else timestamptz '2024-01-02' + i * interval '1 second' end`;

export interface BenchTable {
  /** With its schema. */
  readonly name: string;
  readonly create: string;
  readonly fill: (rows: number) => string;
}

/** Keys in the order of insertion. */
const bigintTable = (name: string): BenchTable => ({
  name,
  create: `create table ${name} (id bigint primary key, ${COLUMNS})`,
  fill: (rows) => `insert into ${name} select i, ${VALUES} from generate_series(1::bigint, ${rows}) i`,
});

/** Keys in no order at all: on a logical pair such a table is compared by slices. */
const uuidTable = (name: string): BenchTable => ({
  name,
  create: `create table ${name} (id uuid primary key, ${COLUMNS})`,
  fill: (rows) =>
    `insert into ${name} select md5('key' || i)::uuid, ${VALUES} from generate_series(1::bigint, ${rows}) i`,
});

export const BIGINT_TABLE = bigintTable('public.orders');
export const UUID_TABLE = uuidTable('public.orders_uuid');
/** The same rows again, of which some will differ: the identical and the differing table are compared turn by turn. */
export const BIGINT_TABLE_DIFFERING = bigintTable('public.orders_differing');
export const UUID_TABLE_DIFFERING = uuidTable('public.orders_uuid_differing');
