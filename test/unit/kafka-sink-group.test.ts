import { describe, expect, it } from 'vitest';
import type { Ends } from '../../connectors/kafka/brokers.ts';
import { writtenOf } from '../../connectors/kafka/sink-group.ts';

const ends: Ends = new Map([['t:0', { topic: 't', partition: 0, low: 10n, high: 60n, topicId: 'id' }]]);
const written = (offset: bigint | null) => {
  const { places, overtaken } = writtenOf(offset === null ? new Map() : new Map([['t:0', offset]]), ends);
  return [places.get('t:0')?.offset, overtaken];
};

describe('what a sink has written', () => {
  it('is everything before the offset that it has committed', () => {
    expect(written(40n)).toEqual([40n, false]);
    expect(written(60n)).toEqual([60n, false]);
  });

  it('is nothing that is there where it has committed nothing', () => {
    expect(written(null)).toEqual([10n, false]);
    expect(written(-1n)).toEqual([10n, false]);
  });

  it('lacks records where they were removed before it came to them', () => {
    expect(written(9n)).toEqual([9n, true]);
  });

  it('is not known where it has committed more than there is: the log lost its end, or is another', () => {
    expect(written(61n)).toEqual([10n, true]);
  });
});
