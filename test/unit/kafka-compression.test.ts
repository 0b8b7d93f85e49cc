import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { inflated } from '../../connectors/kafka/compression.ts';
import { times } from './property-runs.ts';

const [SNAPPY, LZ4] = [2, 3];

/** What a text becomes: pieces of it, and repetitions of what came before. */
type Step = { readonly put: string } | { readonly back: number; readonly length: number };

const step = fc.oneof(
  fc.string({ minLength: 1, maxLength: 300 }).map((put): Step => ({ put })),
  fc.record({ back: fc.nat({ max: 2000 }), length: fc.integer({ min: 4, max: 60 }) }),
);

/** The steps with distances that are there, and the text that they make. */
function planned(steps: readonly Step[]): { readonly text: Buffer; readonly plan: Step[] } {
  let text = Buffer.alloc(0);
  const plan: Step[] = [];
  for (const one of [{ put: 'x' }, ...steps]) {
    if ('put' in one) {
      text = Buffer.concat([text, Buffer.from(one.put)]);
      plan.push(one);
      continue;
    }
    const back = (one.back % text.length) + 1;
    const bytes = [...text];
    for (let left = one.length; left > 0; left -= 1) bytes.push(bytes[bytes.length - back] ?? 0);
    text = Buffer.from(bytes);
    plan.push({ back, length: one.length });
  }
  return { text, plan };
}

/** One block (format_description.txt of snappy). */
function snappied({ text, plan }: ReturnType<typeof planned>): Buffer {
  const parts: number[] = [];
  let size = text.length;
  for (; size > 127; size >>= 7) parts.push((size & 127) | 128);
  parts.push(size);
  for (const one of plan) {
    if ('put' in one) {
      const bytes = Buffer.from(one.put);
      const rest = bytes.length - 1;
      if (rest < 60) parts.push(rest << 2);
      else parts.push(61 << 2, rest & 255, rest >> 8);
      parts.push(...bytes);
    } else if (one.length < 12 && one.back < 2048)
      parts.push(((one.back >> 8) << 5) | ((one.length - 4) << 2) | 1, one.back & 255);
    else parts.push(((one.length - 1) << 2) | 2, one.back & 255, one.back >> 8);
  }
  return Buffer.from(parts);
}

/** Blocks behind their lengths, as snappy-java writes them. */
function framed(blocks: readonly Buffer[]): Buffer {
  const head = Buffer.from([0x82, ...Buffer.from('SNAPPY'), 0, 0, 0, 0, 1, 0, 0, 0, 1]);
  return Buffer.concat([
    head,
    ...blocks.flatMap((one) => [Buffer.from([0, 0, one.length >> 8, one.length & 255]), one]),
  ]);
}

/** A frame of one block (lz4_Frame_format.md, lz4_Block_format.md). */
function lz4ed({ plan }: ReturnType<typeof planned>): Buffer {
  const bytes: number[] = [];
  const rest = (length: number): number[] =>
    length < 15
      ? []
      : [...Array.from({ length: Math.floor((length - 15) / 255) }, () => 255), (length - 15) % 255];
  let literals: number[] = [];
  for (const one of plan) {
    if ('put' in one) literals.push(...Buffer.from(one.put));
    else {
      const [most, more] = [literals.length, one.length - 4];
      bytes.push((Math.min(most, 15) << 4) | Math.min(more, 15), ...rest(most), ...literals);
      bytes.push(one.back & 255, one.back >> 8, ...rest(more));
      literals = [];
    }
  }
  bytes.push(Math.min(literals.length, 15) << 4, ...rest(literals.length), ...literals);
  const head = Buffer.from([0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82]);
  const size = Buffer.alloc(4);
  size.writeUInt32LE(bytes.length);
  return Buffer.concat([head, size, Buffer.from(bytes), Buffer.alloc(4)]);
}

const isRefused = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'TP-STREAM-PROTOCOL';

describe('compressed records', () => {
  it('come out of snappy and LZ4 as they were, and half of them never do', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 8 }), fc.nat(), async (steps, cut) => {
        const made = planned(steps);
        const block = snappied(made);
        const ways = [
          [SNAPPY, block, made.text],
          [SNAPPY, framed([block, block]), Buffer.concat([made.text, made.text])],
          [LZ4, lz4ed(made), made.text],
        ] as const;
        for (const [way, bytes, text] of ways) {
          expect(Buffer.compare(await inflated(bytes, way), text)).toBe(0);
          const half = bytes.subarray(0, bytes.length - 1 - (cut % (bytes.length - 1)));
          const left = await inflated(half, way).catch(isRefused);
          // A cut between two blocks leaves whole ones: the record batch's own sum tells.
          expect(
            left === true || (way === SNAPPY && Buffer.isBuffer(left) && left.length < text.length),
          ).toBe(true);
        }
      }),
      { numRuns: times(15) },
    );
  });

  it('that reach before their beginning, or hold more than may be, are refused', async () => {
    const far = Buffer.from([8, 0, 0x78, 0x19, 9]);
    await expect(inflated(far, SNAPPY)).rejects.toMatchObject({ code: 'TP-STREAM-PROTOCOL' });
    await expect(inflated(Buffer.from('no frame'), LZ4)).rejects.toMatchObject({
      code: 'TP-STREAM-PROTOCOL',
    });
    await expect(inflated(Buffer.from([0]), 5)).rejects.toMatchObject({ code: 'TP-STREAM-SETUP' });
  });
});
