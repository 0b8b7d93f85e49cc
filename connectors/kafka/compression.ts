import { promisify } from 'node:util';
import zlib from 'node:zlib';
import { TwinproofError } from '../../src/errors.ts';
import { noData } from './inflated.ts';
import { unlz4ed } from './lz4.ts';
import { unsnappied } from './snappy.ts';

/** Of a batch, once it is no longer compressed. */
const INFLATED_MAX = 256 * 1024 * 1024;
/** As a record batch names them (Kafka documentation, "Record Batch", attributes). */
const [NONE, GZIP, SNAPPY, LZ4, ZSTD] = [0, 1, 2, 3, 4];

const gunzip = promisify(zlib.gunzip);

/**
 * The records of a batch. Throws TP-STREAM-PROTOCOL for bytes that make no sense, TP-STREAM-SETUP for zstd on a Node.js
 * that does not know it (before 22.15) and for what is not known here.
 */
export async function inflated(bytes: Buffer, compression: number): Promise<Uint8Array> {
  switch (compression) {
    case NONE:
      return bytes;
    case GZIP:
      return gunzip(bytes, { maxOutputLength: INFLATED_MAX }).catch(() => {
        throw noData('gzip');
      });
    case SNAPPY:
      return unsnappied(bytes, INFLATED_MAX);
    case LZ4:
      return unlz4ed(bytes, INFLATED_MAX);
    case ZSTD:
      return unzstded(bytes);
    default:
      throw unknown(`in a way that is not known (${compression})`);
  }
}

/** Not declared by the types of the oldest Node.js that is supported. */
function unzstded(bytes: Buffer): Uint8Array {
  const decompress: unknown = Reflect.get(zlib, 'zstdDecompressSync');
  if (typeof decompress !== 'function')
    throw unknown('with zstd, which this version of Node.js does not know');
  try {
    const result: unknown = Reflect.apply(decompress, zlib, [bytes, { maxOutputLength: INFLATED_MAX }]);
    if (Buffer.isBuffer(result)) return result;
  } catch {
    // Like bytes that do not come out of it.
  }
  throw noData('zstd');
}

function unknown(how: string): TwinproofError {
  return new TwinproofError('TP-STREAM-SETUP', {
    message: `the records are compressed ${how}`,
    hint: 'gzip, snappy, lz4 and no compression are read everywhere, zstd with Node.js 22.15 and later',
  });
}
