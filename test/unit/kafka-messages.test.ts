import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/config/load.ts';
import { stateMessages } from '../../src/service/published-messages.ts';
import { ago, candidateOf, stateOf, verdictOf } from './board-fixture.ts';

const SYSTEM = `systems:
  bank:
    primary: { url: "postgres://v@p/bank" }
    candidates: [{ name: gasan, url: "postgres://v@g/bank" }]
`;

function kafkaOf(section: string) {
  const environment = { KAFKA_PASSWORD: 'secret-of-the-brokers' };
  return parseConfig(`${SYSTEM}kafka: ${section}\n`, '/etc/tp/twinproof.yaml', environment).kafka;
}

describe('the section kafka', () => {
  it('names brokers, the login and the topic; the password comes from elsewhere', () => {
    const kafka = kafkaOf(
      '{ brokers: ["k1:9093", "[::1]:9093"], tls: { ca: ca.pem }, publish: { topic: rpo }, ' +
        'sasl: { mechanism: scram-sha-512, user: twinproof, password: "${KAFKA_PASSWORD}" } }',
    );
    expect(kafka).toMatchObject({
      brokers: ['k1:9093', '[::1]:9093'],
      tls: { ca: '/etc/tp/ca.pem' },
      publish: { topic: 'rpo', buffer: 4 * 1024 * 1024 },
    });
    expect(kafka?.sasl?.password.reveal()).toBe('secret-of-the-brokers');
    expect(kafkaOf('{ brokers: ["k:1"], tls: true }')?.tls).toEqual({ ca: null });
    expect(parseConfig(SYSTEM, '/etc/tp/twinproof.yaml', {}).kafka).toBeNull();
  });

  it.each([
    ['{ brokers: [] }', /at least one broker/],
    ['{ brokers: ["kafka://k:9092"] }', /host:port/],
    ['{ brokers: ["k:9092"], publish: { topic: "a b" } }', /name of a topic/],
    ['{ brokers: ["k:9092"], publish: { topic: a, buffer: 1KiB } }', /between 64KiB and 256MiB/],
    [
      '{ brokers: ["k:9092"], sasl: { mechanism: scram-sha-256, user: u, password: plain } }',
      /not written into/,
    ],
    [
      '{ brokers: ["k:9092"], sasl: { mechanism: plain, user: u, password: "${KAFKA_PASSWORD}" } }',
      /turn on tls/,
    ],
  ])('refuses %s', (section, problem) => {
    expect(() => kafkaOf(section)).toThrow(problem);
  });
});

describe('what is published of a state', () => {
  it('is each candidate’s sample, and a verdict once', () => {
    const first = stateOf('bank', [candidateOf('gasan', 'SAFE_WITH_LOSS'), candidateOf('busan', 'UNKNOWN')]);
    const messages = stateMessages(first, null, 30_000);
    expect(messages.map(({ key, body }) => [key, 'schema' in body ? body.schema : null])).toEqual([
      ['bank/gasan', 'twinproof.rpo/v1'],
      ['bank/gasan', 'twinproof.verdict/v1'],
      ['bank/busan', 'twinproof.rpo/v1'],
      ['bank/busan', 'twinproof.verdict/v1'],
    ]);
    expect(messages[0]?.body).toEqual({
      schema: 'twinproof.rpo/v1',
      system: 'bank',
      candidate: 'gasan',
      at: ago(2),
      state: 'ok',
      transport: { bytes: '18432', transactions: '3', ms: 420 },
      apply: { bytes: '18432', transactions: '3', ms: 420 },
      total: { bytes: '18432', transactions: '3', ms: 420 },
      objectiveMs: 30_000,
      witnessedUntil: ago(2),
      notes: [],
    });
    expect(messages[1]?.body).toMatchObject({
      verdict: 'SAFE_WITH_LOSS',
      system: 'bank',
      candidate: 'gasan',
    });
    expect(stateMessages(first, first, null)).toEqual([]);
    const decidedAt = ago(0);
    const later = candidateOf('gasan', 'SAFE', { verdict: verdictOf('SAFE', { decidedAt }) });
    const second = stateOf('bank', [later, candidateOf('busan', 'UNKNOWN', { lag: null, verdict: null })]);
    // Nothing is told of a candidate of which nothing is known: what was said of it grows old by its time.
    expect(stateMessages(second, first, null).map(({ key, body }) => [key, 'verdict' in body])).toEqual([
      ['bank/gasan', true],
    ]);
  });
});
