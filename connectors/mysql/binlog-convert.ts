import { writeDecimal } from './binlog-decimal.ts';
import { type ColumnStep, STEP } from './binlog-plan.ts';
import {
  writeDate,
  writeDatetime,
  writeDatetime2,
  writeTime,
  writeTime2,
  writeTimestamp,
  writeTimestamp2,
} from './binlog-temporal.ts';

/** Writes a value of fixed size at `at` of `target`, in which there is room; returns its length. */
export function convert(
  source: Uint8Array,
  from: number,
  step: ColumnStep,
  target: Uint8Array,
  at: number,
): number {
  switch (step.step) {
    case STEP.int24:
    case STEP.uint24: {
      const high = source[from + 2] ?? 0;
      target[at] = source[from] ?? 0;
      target[at + 1] = source[from + 1] ?? 0;
      target[at + 2] = high;
      target[at + 3] = step.step === STEP.int24 && high > 127 ? 255 : 0;
      return 4;
    }
    case STEP.year: {
      // 1 byte: years from 1900 on, 0 for the year 0000.
      const year = source[from] ?? 0;
      const value = year === 0 ? 0 : 1900 + year;
      target[at] = value;
      target[at + 1] = value >> 8;
      return 2;
    }
    case STEP.decimal: {
      const precision = step.detail >> 8;
      return writeDecimal(source, from, precision, step.detail & 0xff, step.zerofill, target, at) - at;
    }
    case STEP.date:
      return writeDate(source, from, target, at);
    case STEP.datetime2:
      return writeDatetime2(source, from, step.detail, target, at);
    case STEP.timestamp2:
      return writeTimestamp2(source, from, step.detail, target, at);
    case STEP.time2:
      return writeTime2(source, from, step.detail, target, at);
    case STEP.datetime:
      return writeDatetime(source, from, target, at);
    case STEP.timestamp:
      return writeTimestamp(source, from, target, at);
    case STEP.time:
      return writeTime(source, from, target, at);
    default:
      return 0;
  }
}
