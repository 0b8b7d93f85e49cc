/** The bench's table: eight columns of the usual kinds, about 110 bytes a row on the wire. */
const COLUMNS = `customer int, status text, amount numeric(12,2), note text, paid boolean,
  created timestamptz, shipped timestamptz`;

const VALUES = `(i * 7919 % 100000)::int, (array['new','paid','shipped','closed'])[1 + i % 4],
  (i * 31 % 1000000) / 100.0, case when i % 5 = 0 then null else md5(i::text) end, i % 2 = 0,
  timestamptz '2024-01-01' + i * interval '1 second',
  case when i % 3 = 0 then null else timestamptz '2024-01-02' + i * interval '1 second' end`;

export interface BenchTable {
  readonly name: string;
  readonly create: string;
  readonly fill: (rows: number) => string;
}

/** Keys in the order of insertion. */
export const BIGINT_TABLE: BenchTable = {
  name: 'orders',
  create: `create table orders (id bigint primary key, ${COLUMNS})`,
  fill: (rows) => `insert into orders select i, ${VALUES} from generate_series(1::bigint, ${rows}) i`,
};

/** Keys in no order at all: on a logical pair such a table is compared by slices. */
export const UUID_TABLE: BenchTable = {
  name: 'orders_uuid',
  create: `create table orders_uuid (id uuid primary key, ${COLUMNS})`,
  fill: (rows) =>
    `insert into orders_uuid select md5('key' || i)::uuid, ${VALUES} from generate_series(1::bigint, ${rows}) i`,
};
