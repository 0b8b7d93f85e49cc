import { latin1, unwanted } from './json-value.ts';
import type { JsonReader } from './json-reader.ts';
import type { RowWriter } from './row-writer.ts';

/** Exponent of the smallest single that is not subnormal. */
const FLOAT4_EXPONENT_MIN = -126;

/**
 * Java writes as many digits as tell a float from its neighbours, and reading decimal digits as a double is correctly
 * rounded (ECMA-262, StringToNumber); so the double is the source's. A single is rounded once more: where the double
 * lies in the middle between two singles, the digits might have meant either.
 */
export function writeFloat(json: JsonReader, as: 'float4' | 'float8', out: RowWriter): boolean {
  const value = floatOf(json);
  if (as === 'float8') {
    out.float8(value);
    return true;
  }
  const single = Math.fround(value);
  const size = Math.abs(value);
  if (Number.isFinite(value) && size !== 0) {
    if (!Number.isFinite(single) || single === 0) return false;
    const step = 2 ** (Math.max(Math.floor(Math.log2(size)), FLOAT4_EXPONENT_MIN) - 23);
    if (Math.abs(value - single) >= step * 0.499) return false;
  }
  out.float4(single);
  return true;
}

/** Every NaN is the one that the platform writes: 7ff8000000000000. */
function floatOf(json: JsonReader): number {
  const text = latin1(json);
  if (json.kind === 'string') {
    if (text === 'NaN') return NaN;
    if (text === 'Infinity') return Infinity;
    if (text === '-Infinity') return -Infinity;
  }
  if (json.kind !== 'number' || !/^-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(text))
    throw unwanted('a float', json);
  return Number(text);
}
