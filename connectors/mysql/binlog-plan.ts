import { decimalBytes } from './binlog-decimal.ts';
import type { LogColumn } from './binlog-table-map.ts';
import { FIELD_TYPE } from './field-type.ts';
import { fractionBytes } from './binlog-temporal.ts';

/** What is done with a value of the log so that it has the bytes of the binary protocol (encoding `mysql-binary`). */
export const STEP = {
  copy: 0,
  int24: 1,
  uint24: 2,
  year: 3,
  decimal: 4,
  counted: 5,
  padded: 6,
  label: 7,
  labels: 8,
  date: 9,
  datetime2: 10,
  timestamp2: 11,
  time2: 12,
  datetime: 13,
  timestamp: 14,
  time: 15,
  json: 16,
  uuid: 17,
  address: 18,
  /** Has bytes of its own that say nothing. */
  nothing: 19,
} as const;

/** What the catalog knows of a column and the log does not say. */
export interface ColumnHints {
  /** BINARY(n): the log leaves out zeros at its end. */
  readonly binary: boolean;
  readonly zerofill: boolean;
  /** The comma between the labels of a set, in its character set. */
  readonly comma: Uint8Array;
  /** The type has fractions of seconds. */
  readonly fraction: boolean;
  /** Types of MariaDB that are a BINARY(n) in the log. */
  readonly storage: 'uuid' | 'address' | null;
}

export interface ColumnStep {
  readonly step: number;
  /** Bytes of the value, where that is always the same; else bytes of the length in front. */
  readonly size: number;
  /** LogColumn.detail, or the length to which a value is padded. */
  readonly detail: number;
  readonly zerofill: boolean;
  readonly labels: readonly Uint8Array[];
  readonly comma: Uint8Array;
  /** False: the bytes are passed over, and the value is not known. */
  readonly readable: boolean;
}

const COMMA = Uint8Array.of(0x2c);

const fixed = (size: number, step: number = STEP.copy): Draft => ({ step, size });

interface Draft {
  readonly step: number;
  readonly size: number;
  readonly readable?: boolean;
}

/** Bytes of the length in front of a string: one where one is enough for its longest value. */
function lengthBytes(longest: number): number {
  return longest > 255 ? 2 : 1;
}

/** How values of a column are read; null: its values cannot even be passed over. */
export function columnStep(column: LogColumn, hints: ColumnHints): ColumnStep | null {
  const draft = draftOf(column, hints);
  if (draft === null) return null;
  // One shape for all: the engine reads such objects by their place.
  return {
    step: draft.step,
    size: draft.size,
    detail: column.detail,
    zerofill: hints.zerofill,
    labels: column.labels ?? [],
    comma: hints.comma,
    readable: draft.readable ?? true,
  };
}

const FIXED: ReadonlyMap<number, Draft> = new Map([
  [FIELD_TYPE.tiny, fixed(1)],
  [FIELD_TYPE.short, fixed(2)],
  [FIELD_TYPE.long, fixed(4)],
  [FIELD_TYPE.longlong, fixed(8)],
  [FIELD_TYPE.float, fixed(4)],
  [FIELD_TYPE.double, fixed(8)],
  [FIELD_TYPE.year, fixed(1, STEP.year)],
  [FIELD_TYPE.date, fixed(3, STEP.date)],
  [FIELD_TYPE.newdate, fixed(3, STEP.date)],
  [FIELD_TYPE.timestamp, fixed(4, STEP.timestamp)],
  [FIELD_TYPE.datetime, fixed(8, STEP.datetime)],
  [FIELD_TYPE.time, fixed(3, STEP.time)],
  [FIELD_TYPE.null, fixed(0, STEP.nothing)],
]);

const OLD_TEMPORAL: ReadonlySet<number> = new Set([
  FIELD_TYPE.timestamp,
  FIELD_TYPE.datetime,
  FIELD_TYPE.time,
]);

function draftOf({ type, detail, unsigned, labels }: LogColumn, hints: ColumnHints): Draft | null {
  // MariaDB with mysql56_temporal_format=OFF: how long such a value is the log does not say.
  if (hints.fraction && OLD_TEMPORAL.has(type)) return null;
  const known = FIXED.get(type);
  if (known !== undefined) return known;
  switch (type) {
    case FIELD_TYPE.int24:
      return fixed(3, unsigned ? STEP.uint24 : STEP.int24);
    case FIELD_TYPE.newdecimal:
      return fixed(decimalBytes(detail >> 8, detail & 0xff), STEP.decimal);
    case FIELD_TYPE.bit:
      return fixed((detail + 7) >> 3);
    case FIELD_TYPE.enum:
    case FIELD_TYPE.set:
      return {
        step: type === FIELD_TYPE.enum ? STEP.label : STEP.labels,
        size: detail,
        readable: labels !== null,
      };
    case FIELD_TYPE.datetime2:
      return fixed(5 + fractionBytes(detail), STEP.datetime2);
    case FIELD_TYPE.timestamp2:
      return fixed(4 + fractionBytes(detail), STEP.timestamp2);
    case FIELD_TYPE.time2:
      return fixed(3 + fractionBytes(detail), STEP.time2);
    default:
      return countedDraft(type, detail, hints);
  }
}

/** Values with their length in front. */
function countedDraft(type: number, detail: number, hints: ColumnHints): Draft | null {
  switch (type) {
    case FIELD_TYPE.string:
      return { step: stringStep(hints), size: lengthBytes(detail) };
    case FIELD_TYPE.varchar:
    case FIELD_TYPE.varString:
      return { step: STEP.counted, size: lengthBytes(detail) };
    case FIELD_TYPE.varcharCompressed:
      return { step: STEP.counted, size: lengthBytes(detail), readable: false };
    case FIELD_TYPE.json:
      return { step: STEP.json, size: detail };
    case FIELD_TYPE.blobCompressed:
      return { step: STEP.counted, size: detail, readable: false };
    case FIELD_TYPE.blob:
    case FIELD_TYPE.tinyBlob:
    case FIELD_TYPE.mediumBlob:
    case FIELD_TYPE.longBlob:
    case FIELD_TYPE.geometry:
    case FIELD_TYPE.vector:
      return { step: STEP.counted, size: detail };
    default:
      return null;
  }
}

function stringStep({ storage, binary }: ColumnHints): number {
  if (storage !== null) return storage === 'uuid' ? STEP.uuid : STEP.address;
  return binary ? STEP.padded : STEP.counted;
}

/** Of a column of which the catalog says nothing. */
export const NO_HINTS: ColumnHints = {
  binary: false,
  zerofill: false,
  fraction: false,
  comma: COMMA,
  storage: null,
};

/** How rows of one table are read. */
export interface RowPlan {
  /** In the order of the log. */
  readonly steps: readonly ColumnStep[];
  /** Which column of the log each column of a row is. */
  readonly order: readonly number[];
  /** By column of the log: its values count; where not they are unread. */
  readonly used: readonly boolean[];
  /** How many leading columns of a row are the key; null: no key is known. */
  readonly keyFields: number | null;
  /** Every value counts, and rows have them in the order of the log. */
  readonly straight: boolean;
}

/** A table none of whose rows can be read. */
export const UNREADABLE_PLAN: RowPlan = { steps: [], order: [], used: [], keyFields: null, straight: false };

export function commaIn(characterSet: string | null): Uint8Array {
  switch (characterSet) {
    case 'ucs2':
    case 'utf16':
      return Uint8Array.of(0, 0x2c);
    case 'utf16le':
      return Uint8Array.of(0x2c, 0);
    case 'utf32':
      return Uint8Array.of(0, 0, 0, 0x2c);
    default:
      return COMMA;
  }
}
