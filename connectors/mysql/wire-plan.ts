import { TwinproofError } from '../../src/errors.ts';
import { FIELD_TYPE } from './field-type.ts';
import type { WireOperation } from './wire-row.ts';

/** What the server says of a column of a result. */
export interface WireColumn {
  readonly type: number;
  readonly unsigned: boolean;
}

/**
 * Codes of connectors/mysql/transcode/transcode.ts. How values stand in a binary row: the servers' manuals, "Binary
 * Protocol Value" (MySQL) and "Result Set Packets" (MariaDB).
 */
const CODE = {
  copy1: 0,
  copy2: 1,
  copy4: 2,
  copy8: 3,
  copyLength: 4,
  integers: 16,
  float4: 64,
  float8: 65,
  decimalText: 66,
  date: 67,
  datetime: 68,
  time: 69,
  uuid: 70,
} as const;

const INTEGER_OPERATIONS: Partial<Record<WireOperation, number>> = { boolean: 0, integer: 1, decimal: 2 };
const BIT_SOURCE = 8;

/** Bytes of an integer on the wire, as their binary logarithm. */
const INTEGER_SIZES: ReadonlyMap<number, number> = new Map([
  [FIELD_TYPE.tiny, 0],
  [FIELD_TYPE.short, 1],
  [FIELD_TYPE.year, 1],
  [FIELD_TYPE.int24, 2],
  [FIELD_TYPE.long, 2],
  [FIELD_TYPE.longlong, 3],
]);

/** The forms of what is neither an integer nor a string, by type, and the code of each. */
const FORMS: ReadonlyMap<number, Partial<Record<WireOperation, number>>> = new Map<
  number,
  Partial<Record<WireOperation, number>>
>([
  [FIELD_TYPE.float, { copy: CODE.copy4, float4: CODE.float4 }],
  [FIELD_TYPE.double, { copy: CODE.copy8, float8: CODE.float8 }],
  [FIELD_TYPE.decimal, { copy: CODE.copyLength, decimal: CODE.decimalText }],
  [FIELD_TYPE.newdecimal, { copy: CODE.copyLength, decimal: CODE.decimalText }],
  [FIELD_TYPE.date, { copy: CODE.copyLength, date: CODE.date }],
  [FIELD_TYPE.newdate, { copy: CODE.copyLength, date: CODE.date }],
  [FIELD_TYPE.datetime, { copy: CODE.copyLength, datetime: CODE.datetime, instant: CODE.datetime }],
  [FIELD_TYPE.timestamp, { copy: CODE.copyLength, datetime: CODE.datetime, instant: CODE.datetime }],
  [FIELD_TYPE.time, { copy: CODE.copyLength, time: CODE.time }],
]);

/** Everything else is bytes with their length in front: strings, blobs, enum, set, JSON, geometry. */
const BYTES: Partial<Record<WireOperation, number>> = {
  copy: CODE.copyLength,
  text: CODE.copyLength,
  bytes: CODE.copyLength,
  uuid: CODE.uuid,
};

/**
 * One byte a column: what the transcoder does with it. Throws TP-DEFINITION-CHANGED when the result has other columns
 * than the read expects, or one of a type that has no such form.
 */
export function transcodePlan(
  columns: readonly WireColumn[],
  operations: readonly WireOperation[],
): Uint8Array {
  if (columns.length !== operations.length) {
    throw changed(`a result of ${operations.length} columns came with ${columns.length}`);
  }
  return Uint8Array.from(columns, (column, index) => codeFor(column, operations[index] ?? 'copy'));
}

function codeFor({ type, unsigned }: WireColumn, operation: WireOperation): number {
  const size = INTEGER_SIZES.get(type);
  const code =
    size !== undefined
      ? integerCode(size, unsigned, operation)
      : type === FIELD_TYPE.bit
        ? bitCode(operation)
        : (FORMS.get(type) ?? BYTES)[operation];
  // A column that is NULL in every row has the type NULL, and no value.
  if (code === undefined && type !== FIELD_TYPE.null) {
    throw changed(`a column of type ${type} has no form "${operation}"`);
  }
  return code ?? CODE.copyLength;
}

function integerCode(size: number, unsigned: boolean, operation: WireOperation): number | undefined {
  if (operation === 'copy') return CODE.copy1 + size;
  const form = INTEGER_OPERATIONS[operation];
  return form === undefined ? undefined : CODE.integers + (size * 2 + (unsigned ? 1 : 0)) * 4 + form;
}

function bitCode(operation: WireOperation): number | undefined {
  const form = INTEGER_OPERATIONS[operation];
  return form === undefined ? BYTES[operation] : CODE.integers + BIT_SOURCE * 4 + form;
}

function changed(message: string): TwinproofError {
  return new TwinproofError('TP-DEFINITION-CHANGED', { message, retryable: true });
}
