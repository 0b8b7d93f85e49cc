import type { WireOperation } from '../../../connectors/mysql/wire-row.ts';
import type { MysqlFlavor } from './mysql-installation.ts';

export const ascii = (text: string): string => Buffer.from(text).toString('hex');

const UUID = '00112233-4455-6677-8899-aabbccddeeff';

const int64 = (value: bigint): string => BigInt.asUintN(64, value).toString(16).padStart(16, '0');

export type WireType = readonly [
  type: string,
  literal: string,
  copied: string,
  form: WireOperation,
  portable: string,
];

/**
 * Columns with a value each, as the binary protocol has it, and in its portable form. The extremes are those of the
 * manual's chapter "Data Types".
 */
const TYPES: readonly WireType[] = [
  ['tinyint', '-128', '80', 'integer', 'ffffffffffffff80'],
  ['tinyint unsigned', '255', 'ff', 'decimal', ascii('255')],
  ['tinyint(1)', '1', '01', 'boolean', '01'],
  ['tinyint(1)', '2', '02', 'boolean', '0000000000000002'],
  ['smallint', '-32768', '0080', 'integer', 'ffffffffffff8000'],
  ['smallint unsigned', '65535', 'ffff', 'integer', '000000000000ffff'],
  ['mediumint', '-8388608', '000080ff', 'integer', 'ffffffffff800000'],
  ['mediumint unsigned', '16777215', 'ffffff00', 'integer', '0000000000ffffff'],
  ['int', '-2147483648', '00000080', 'decimal', ascii('-2147483648')],
  ['int unsigned', '4294967295', 'ffffffff', 'integer', '00000000ffffffff'],
  ['bigint', '-9223372036854775808', '0000000000000080', 'decimal', ascii('-9223372036854775808')],
  ['bigint', '9223372036854775807', 'ffffffffffffff7f', 'integer', '7fffffffffffffff'],
  ['bigint unsigned', '18446744073709551615', 'ffffffffffffffff', 'decimal', ascii('18446744073709551615')],
  ['bigint unsigned', '9223372036854775808', '0000000000000080', 'integer', ascii('9223372036854775808')],
  ['year', '2155', '6b08', 'integer', '000000000000086b'],
  ['bit(1)', "b'1'", '01', 'boolean', '01'],
  [
    'bit(64)',
    "b'1000000000000000000000000000000000000000000000000000000000000001'",
    '8000000000000001',
    'bytes',
    '8000000000000001',
  ],
  ['decimal(12,2)', '-1.50', ascii('-1.50'), 'decimal', ascii('-1.5')],
  ['decimal(12,2)', '0', ascii('0.00'), 'decimal', ascii('0')],
  ['decimal(10,0) zerofill', '120', ascii('0000000120'), 'decimal', ascii('120')],
  [
    'decimal(65,30)',
    '-99999999999999999999999999999999999.999999999999999999999999999999',
    ascii('-99999999999999999999999999999999999.999999999999999999999999999999'),
    'decimal',
    ascii('-99999999999999999999999999999999999.999999999999999999999999999999'),
  ],
  ['float', '0.1', 'cdcccc3d', 'float4', '3dcccccd'],
  ['float', '16777217', '0000804b', 'float4', '4b800000'],
  ['double', '0.1', '9a9999999999b93f', 'float8', '3fb999999999999a'],
  ['double', '2.2250738585072011e-308', 'ffffffffffff0f00', 'float8', '000fffffffffffff'],
  ['date', "'2000-01-01'", 'd0070101', 'date', '00000000'],
  ['date', "'1999-12-31'", 'cf070c1f', 'date', 'ffffffff'],
  ['date', "'9999-12-31'", '0f270c1f', 'date', '002c95d3'],
  ['date', "'0000-00-00'", '', 'date', '0000'],
  ['date', "'2024-02-00'", 'e8070200', 'date', '0000e8070200'],
  ['datetime', "'2000-01-01 00:00:01'", 'd0070101000001', 'datetime', '00000000000f4240'],
  ['datetime(6)', "'2000-01-01 00:00:00.000001'", 'd007010100000001000000', 'datetime', '0000000000000001'],
  ['datetime(6)', "'1999-12-31 23:59:59.999999'", 'cf070c1f173b3b3f420f00', 'datetime', 'ffffffffffffffff'],
  ['datetime', "'0000-00-00 00:00:00'", '', 'datetime', '0000'],
  ['timestamp', "'2000-01-01 00:00:00'", 'd0070101', 'instant', '0000000000000000'],
  ['timestamp(6) null', "'2000-01-01 00:00:00.5'", 'd007010100000020a10700', 'instant', '000000000007a120'],
  ['time', "'-838:59:59'", '0122000000163b3b', 'time', int64(-3_020_399_000_000n)],
  ['time', "'00:00:00'", '', 'time', '0000000000000000'],
  ['time(6)', "'25:00:00.000001'", '000100000001000001000000', 'time', int64(90_000_000_001n)],
  ['char(5)', "'ab  '", ascii('ab'), 'text', ascii('ab')],
  ['varchar(5)', "'ab  '", ascii('ab  '), 'text', ascii('ab  ')],
  ['varchar(9) character set latin1', "'é€'", 'e980', 'bytes', 'e980'],
  ['varchar(9) character set utf8mb4', "'é😀'", 'c3a9f09f9880', 'text', 'c3a9f09f9880'],
  ['varchar(9) character set sjis', "'ソ'", '835c', 'bytes', '835c'],
  ['varchar(9) character set utf16', "'é'", '00e9', 'bytes', '00e9'],
  ['text', "''", '', 'text', ''],
  ['binary(4)', "x'00ff'", '00ff0000', 'bytes', '00ff0000'],
  ['blob', "x'00'", '00', 'bytes', '00'],
  ["enum('x','','Ä') character set latin1", "'Ä'", 'c4', 'bytes', 'c4'],
  ["set('a','b','c')", "'c,a'", ascii('a,c'), 'text', ascii('a,c')],
  [
    'binary(16)',
    "x'00112233445566778899aabbccddeeff'",
    '00112233445566778899aabbccddeeff',
    'uuid',
    '00112233445566778899aabbccddeeff',
  ],
  [
    'char(36)',
    "'00112233-4455-6677-8899-AABBccddeeff'",
    ascii('00112233-4455-6677-8899-AABBccddeeff'),
    'uuid',
    '00112233445566778899aabbccddeeff',
  ],
  [
    'point',
    'point(1, -1)',
    '000000000101000000000000000000f03f000000000000f0bf',
    'bytes',
    '000000000101000000000000000000f03f000000000000f0bf',
  ],
];

/** The columns that a flavor has: MariaDB makes 0 of a negative zero, and has a type for UUIDs. */
export function wireTypes(flavor: MysqlFlavor): readonly WireType[] {
  const own: WireType =
    flavor === 'mysql'
      ? ['double', '0e0 * -1e0', '0000000000000080', 'float8', '8000000000000000']
      : ['uuid', `'${UUID}'`, ascii(UUID), 'uuid', UUID.replaceAll('-', '')];
  return [...TYPES, own];
}
