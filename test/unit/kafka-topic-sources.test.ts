import { describe, expect, it } from 'vitest';
import { silentSources } from '../../connectors/kafka/topic-sources.ts';

const ABOUT = {
  prefix: 'bank',
  topics: ['bank.public.account', 'bank.public.__', 'bank.public.log'],
  compacted: new Set(['bank.public.log']),
  known: ['public.account', 'public.주문'],
};

describe('a topic of which no record tells of a table', () => {
  it('stands for a table that is not followed, by the name under which it was met', () => {
    expect(
      silentSources([], ABOUT).map(({ leaf, root, unfollowed, table }) => [leaf, root, unfollowed, table]),
    ).toEqual([
      [
        'public.account',
        'public.account',
        'its topic bank.public.account holds no record that tells of a table',
        null,
      ],
      ['public.주문', 'public.주문', 'its topic bank.public.__ holds no record that tells of a table', null],
      [
        'public.log',
        'public.log',
        'its topic bank.public.log is compacted (cleanup.policy), or that may not be seen: not every change is kept',
        null,
      ],
    ]);
  });

  it('is called by its topic where several tables share that', () => {
    const known = ['public.주문', 'public.고객'];
    expect(silentSources([], { ...ABOUT, topics: ['bank.public.__'], known })).toMatchObject([
      { id: 'topic bank.public.__', leaf: 'public.__' },
    ]);
  });
});
