import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FORM_NAMES } from '../../src/config/mapping.ts';
import type { RowShape } from '../../src/connector/contract.ts';
import type { PortableForm, PortableForms } from '../../src/connector/table.ts';
import { commonForm, helpfulOverride } from '../../src/row/portable.ts';
import { portableKeyText, portableText } from '../../src/row/portable-text.ts';
import { frameFields } from '../../src/row/stream.ts';

function forms(
  natural: PortableForm[],
  onRequest: PortableForm[] = [],
  inZone: PortableForm[] = [],
): PortableForms {
  return { natural, onRequest, inZone };
}

const BOOLEAN = forms(['boolean']);
const INTEGER = forms(['integer', 'decimal']);
const TINYINT_1 = forms(['integer', 'decimal'], ['boolean']);
const UNSIGNED = forms(['decimal']);
const CHAR_36 = forms(['text'], ['uuid']);
const UUID = forms(['uuid']);
const LOCAL = forms(['datetime'], ['instant'], ['instant']);
const INSTANT = forms(['instant'], ['datetime'], ['datetime']);
const DATETIME = forms(['datetime']);
const TIMESTAMP = forms(['instant']);
const JSON_TEXT = forms([], ['text']);

const NONE = { primary: null, candidate: null };
const ZONE = 'Asia/Seoul';

/** Whether a column comes to a form in a way that neither its type nor the configuration allows. */
function reachedOddly(
  site: PortableForms,
  form: PortableForm,
  zone: string | null,
  as: PortableForm | null,
): boolean {
  if (site.natural.includes(form)) return zone !== null;
  if (site.inZone.includes(form)) return zone !== ZONE;
  return zone !== null || as !== form || !site.onRequest.includes(form);
}

describe('the form that two columns share', () => {
  it.each<[string, PortableForms, PortableForms, PortableForm]>([
    ['the same type', BOOLEAN, BOOLEAN, 'boolean'],
    ['the first of the primary that is natural on the candidate', INTEGER, INTEGER, 'integer'],
    ['the next where the first is not', INTEGER, UNSIGNED, 'decimal'],
    ['the other way round', UNSIGNED, INTEGER, 'decimal'],
    ['local times', LOCAL, DATETIME, 'datetime'],
    ['instants', INSTANT, TIMESTAMP, 'instant'],
  ])('%s', (_, primary, candidate, form) => {
    expect(commonForm(primary, candidate)).toEqual({ form, zones: NONE });
  });

  it.each<[string, PortableForms | undefined, PortableForms | undefined]>([
    ['a column without forms', undefined, INTEGER],
    ['another without forms', INTEGER, undefined],
    ['a boolean and a number that nobody called one', BOOLEAN, TINYINT_1],
    ['a uuid and its text', UUID, CHAR_36],
    ['an instant and a local time', INSTANT, DATETIME],
    ['a local time and an instant', LOCAL, TIMESTAMP],
    ['floats of two sizes', forms(['float4']), forms(['float8'])],
  ])('is not guessed for %s', (_, primary, candidate) => {
    expect(commonForm(primary, candidate)).toBeNull();
  });

  it('is what the configuration asks for, on either side, if both can', () => {
    expect(commonForm(BOOLEAN, TINYINT_1, { as: 'boolean', zone: null })).toEqual({
      form: 'boolean',
      zones: NONE,
    });
    expect(commonForm(CHAR_36, UUID, { as: 'uuid', zone: null })?.form).toBe('uuid');
    expect(commonForm(JSON_TEXT, CHAR_36, { as: 'text', zone: null })?.form).toBe('text');
    expect(commonForm(INTEGER, INTEGER, { as: 'decimal', zone: null })?.form).toBe('decimal');
    expect(commonForm(INTEGER, INTEGER, { as: 'boolean', zone: null })).toBeNull();
    expect(commonForm(INTEGER, INTEGER, { as: 'text', zone: null })).toBeNull();
  });

  it('is converted in a time zone on the site that has the other', () => {
    const wish = { as: null, zone: ZONE };
    expect(commonForm(LOCAL, TIMESTAMP, wish)).toEqual({
      form: 'instant',
      zones: { primary: ZONE, candidate: null },
    });
    expect(commonForm(TIMESTAMP, LOCAL, wish)).toEqual({
      form: 'instant',
      zones: { primary: null, candidate: ZONE },
    });
    expect(commonForm(INSTANT, DATETIME, wish)).toEqual({
      form: 'datetime',
      zones: { primary: ZONE, candidate: null },
    });
    // An instant of a local time before the local time of an instant: only the first loses nothing.
    expect(commonForm(INSTANT, LOCAL, wish)?.form).toBe('instant');
    expect(commonForm(LOCAL, INSTANT, wish)?.form).toBe('instant');
    expect(commonForm(LOCAL, TIMESTAMP, { as: 'instant', zone: null })).toBeNull();
    expect(commonForm(LOCAL, LOCAL, wish)).toEqual({ form: 'datetime', zones: NONE });
    expect(commonForm(UUID, CHAR_36, wish)).toBeNull();
  });

  it('is always one that both sites can read, by the wish that was made', () => {
    const some = fc.subarray([...FORM_NAMES]);
    const any = fc.tuple(some, some, some).map(([natural, request, zoned]) => {
      const onRequest = request.filter((form) => !natural.includes(form));
      return forms(
        natural,
        onRequest,
        zoned.filter((form) => onRequest.includes(form)),
      );
    });
    const wish = fc.record({
      as: fc.option(fc.constantFrom(...FORM_NAMES)),
      zone: fc.option(fc.constant(ZONE)),
    });
    fc.assert(
      fc.property(any, any, wish, (primary, candidate, wanted) => {
        const shared = commonForm(primary, candidate, wanted);
        const faults =
          shared === null
            ? []
            : [
                wanted.as !== null && shared.form !== wanted.as,
                reachedOddly(primary, shared.form, shared.zones.primary, wanted.as),
                reachedOddly(candidate, shared.form, shared.zones.candidate, wanted.as),
                helpfulOverride(primary, candidate, wanted) === null,
              ];
        expect(faults.includes(true)).toBe(false);
      }),
    );
  });

  it('has a hint that shows the override that would help, or none', () => {
    expect(helpfulOverride(BOOLEAN, TINYINT_1)).toBe('as: boolean');
    expect(helpfulOverride(UUID, CHAR_36)).toBe('as: uuid');
    expect(helpfulOverride(LOCAL, TIMESTAMP)).toBe('zone: Asia/Seoul');
    expect(helpfulOverride(BOOLEAN, UUID)).toBeNull();
    expect(helpfulOverride(undefined, UUID)).toBeNull();
  });
});

function int64(value: bigint): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(value);
  return bytes;
}

function int32(value: number): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

describe('a value in a portable form, for people', () => {
  it.each<[PortableForm, Uint8Array, string]>([
    ['boolean', Uint8Array.of(1), 'true'],
    ['boolean', int64(2n), String.raw`\x0000000000000002`],
    ['integer', int64(-(2n ** 63n)), '-9223372036854775808'],
    [
      'integer',
      Buffer.from('+18446744073709551615'),
      String.raw`\x2b3138343436373434303733373039353531363135`,
    ],
    ['decimal', Buffer.from('-0.05'), '-0.05'],
    ['float4', Buffer.from('3dcccccd', 'hex'), '0.100000001'],
    ['float8', Buffer.from('3fb999999999999a', 'hex'), '0.1'],
    ['text', Buffer.from('é'), 'é'],
    ['bytes', Uint8Array.of(0, 255), String.raw`\x00ff`],
    ['date', int32(0), '2000-01-01'],
    ['date', int32(59), '2000-02-29'],
    ['date', int32(-1), '1999-12-31'],
    ['date', int32(2_921_939), '9999-12-31'],
    ['date', int32(-730_485), '0000-01-01'],
    ['date', Uint8Array.of(1, 0, 0), String.raw`\x010000`],
    ['time', int64(-3_020_399_000_000n), '-838:59:59'],
    ['time', int64(86_399_999_999n), '23:59:59.999999'],
    ['datetime', int64(-1n), '1999-12-31 23:59:59.999999'],
    ['instant', int64(86_400_000_000n + 500_000n), '2000-01-02 00:00:00.5+00'],
    ['uuid', Buffer.alloc(16, 0xab), 'abababab-abab-abab-abab-abababababab'],
    ['uuid', Buffer.from('no'), String.raw`\x6e6f`],
  ])('%s %s is %s', (form, bytes, text) => {
    expect(portableText(bytes, form)).toBe(text);
  });

  it('every date of four thousand years is the calendar’s', () => {
    fc.assert(
      fc.property(fc.integer({ min: -600_000, max: 800_000 }), (days) => {
        const date = new Date(Date.UTC(2000, 0, 1) + days * 86_400_000);
        expect(portableText(int32(days), 'date')).toBe(date.toISOString().slice(0, 10));
      }),
    );
  });

  it('names the key’s columns', () => {
    const shape: RowShape = {
      table: {
        name: 'public.t',
        schema: 'public',
        table: 't',
        columns: [],
        key: ['a', 'b'],
        keyOrder: 'local',
        clustered: false,
        rowsEstimate: 0,
        bytesEstimate: 0,
        fingerprint: '',
        obstacle: null,
        handle: null,
      },
      identity: 'key',
      columns: [
        { name: 'a', encoding: 'portable', form: 'integer' },
        { name: 'b', encoding: 'portable', form: 'text' },
        { name: 'c', encoding: 'portable', form: 'text' },
      ],
      keyFields: 2,
      pair: 'cross-engine',
    };
    expect(portableKeyText(shape, frameFields([int64(7n), Buffer.from('x')]))).toEqual({ a: '7', b: 'x' });
    expect(portableKeyText(shape, frameFields([int64(7n), null]))).toEqual({ a: '7', b: 'NULL' });
  });
});
