import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/config/load.ts';

const CANDIDATE = '{ name: gasan, url: "postgres://v@g/bank", sink: { group: bank-sink } }';

function systemOf(primary: string, candidate: string) {
  const text = `systems:
  bank:
    primary: ${primary}
    candidates: [${candidate}]
    tables: { include: ["public.*"] }
`;
  return parseConfig(text, '/etc/tp/twinproof.yaml', {}).systems[0];
}

describe('a primary that is known by its topics', () => {
  it('gives its candidates the brokers and settings with which to see how far their sink is', () => {
    const primary = `{ url: "kafka://k1.gasan:9092/bank",
      topics: { decimals: precise, columns: { public.t: { id: integer, note: "character varying(9)" } } } }`;
    const system = systemOf(primary, CANDIDATE);
    const topics = {
      tables: { include: ['public.*'], exclude: [] },
      decimals: 'precise',
      times: null,
      binary: null,
      dates: null,
      wholeBefore: false,
      placeholder: null,
      columns: new Map([
        [
          'public.t',
          [
            { name: 'id', type: 'integer' },
            { name: 'note', type: 'character varying(9)' },
          ],
        ],
      ]),
    };
    expect(system?.primary.address).toMatchObject({ engine: 'kafka', host: 'k1.gasan', database: 'bank' });
    expect(system?.primary.stream.topics).toEqual(topics);
    expect(system?.candidates[0]?.stream.sink).toEqual({
      group: 'bank-sink',
      address: system?.primary.address,
      topics,
    });
  });

  it('needs no settings: what they would say is then not known', () => {
    const system = systemOf('{ url: "kafka://k1/bank" }', CANDIDATE);
    expect(system?.primary.stream.topics).toMatchObject({ decimals: null, columns: new Map() });
  });

  it.each([
    ['{ url: "kafka://k1/bank" }', '{ name: g, url: "postgres://v@g/b" }', /which consumer group writes/],
    ['{ url: "kafka://k1/bank" }', '{ name: g, url: "kafka://k2/bank" }', /a database, not a topic/],
    ['{ url: "postgres://v@p/b" }', CANDIDATE, /a sink writes candidates of a primary whose url is kafka/],
    ['{ url: "postgres://v@p/b", topics: {} }', CANDIDATE, /topics are of a primary whose url is kafka/],
    ['{ url: "kafka://k1/bank", topics: { decimals: exact } }', CANDIDATE, /one of precise, string, double/],
    ['{ url: "kafka://k1/bank" }', '{ name: g, url: "postgres://v@g/b", sink: {} }', /sink\.group/],
  ])('refuses %s with %s', (primary, candidate, problem) => {
    expect(() => systemOf(primary, candidate)).toThrow(problem);
  });
});
