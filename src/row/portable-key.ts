import type { ColumnEncoding, PortableForm } from '../connector/table.ts';
import { mysqlKeyStep } from './portable-key-mysql.ts';
import { frameFields, keyFieldsOf } from './stream.ts';

const INTEGER_BYTES = 8;

/** Types of PostgreSQL whose binary form is that of a portable one, byte for byte (src/row/portable.ts). */
const SAME: Readonly<Record<string, PortableForm>> = {
  boolean: 'boolean',
  text: 'text',
  'character varying': 'text',
  bytea: 'bytes',
  uuid: 'uuid',
  date: 'date',
  'time without time zone': 'time',
  'timestamp without time zone': 'datetime',
  'timestamp with time zone': 'instant',
};
/** Two's complement, most significant byte first, and shorter. */
const SHORTER = new Set(['smallint', 'integer', 'bigint']);

/** Makes bytes of another encoding those of a portable form. */
export type KeyStep = (value: Uint8Array) => Uint8Array;

/** Null: no rule is known for this type. Pure. */
export function keyStep(type: string, encoding: ColumnEncoding | null, form: PortableForm): KeyStep | null {
  if (encoding === 'mysql-binary') return mysqlKeyStep(type, form);
  if (encoding !== 'pg-binary') return null;
  const plain = type.replaceAll(/\([^()]*\)/g, '');
  if (form === 'integer' && SHORTER.has(plain)) return widened;
  return SAME[plain] === form ? same : null;
}

/** An identity (FoundRow.key) in portable forms, by the step of each of its fields. Pure. */
export function portableIdentity(identity: Uint8Array, steps: readonly KeyStep[]): Uint8Array {
  if (steps.every((step) => step === same)) return identity;
  return frameFields(
    keyFieldsOf(identity).map((field, at) => (field === null ? null : (steps[at] ?? same)(field))),
  );
}

/** The bytes are those of the form already. */
export function same(value: Uint8Array): Uint8Array {
  return value;
}

function widened(field: Uint8Array): Uint8Array {
  const wide = new Uint8Array(INTEGER_BYTES).fill((field[0] ?? 0) & 0x80 ? 0xff : 0);
  wide.set(field, INTEGER_BYTES - field.length);
  return wide;
}
