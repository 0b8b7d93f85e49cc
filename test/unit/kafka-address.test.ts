import { describe, expect, it } from 'vitest';
import { topicAddress } from '../../connectors/kafka/topic-address.ts';
import { comparePositions, parsePosition, positionText } from '../../connectors/kafka/position.ts';
import { parseUrl } from '../../src/config/url.ts';

const addressOf = (url: string, environment = {}) =>
  topicAddress(parseUrl(url, 'secret').address, environment);

describe('the address of a topic', () => {
  it('names broker, topic and login', () => {
    expect(addressOf('kafka://k1/pangyo.orders')).toEqual({
      kafka: { brokers: ['k1:9092'], tls: null, sasl: null },
      topic: 'pangyo.orders',
    });
    const { kafka } = addressOf('kafka://ann@[::1]:9093/t?ca=/etc/ca.pem', { KAFKA_PASSWORD: 'word' });
    expect(kafka).toMatchObject({
      brokers: ['[::1]:9093'],
      tls: { ca: '/etc/ca.pem' },
      sasl: { mechanism: 'scram-sha-512', user: 'ann' },
    });
    expect(kafka.sasl?.password.reveal()).toBe('word');
  });

  it('names other brokers of the cluster, for when the first is down', () => {
    const { kafka } = addressOf('kafka://k1:9093/t?brokers=k2,k3.gasan:9094,[::1]:9095');
    expect(kafka.brokers).toEqual(['k1:9093', 'k2:9092', 'k3.gasan:9094', '[::1]:9095']);
  });

  it.each([
    ['kafka://k1:9092', /no topic/],
    ['kafka://k1/a?sslmode=require', /sslmode is not known/],
    ['kafka://k1/a?tls=yes', /true or false/],
    ['kafka://k1/a?brokers=k2,', /separated by commas/],
    ['kafka://k1/a?brokers=k2:70000', /separated by commas/],
    ['kafka://u@k1/a?mechanism=gssapi&tls=true', /mechanism is one of/],
    ['kafka://u@k1/a?mechanism=plain', /add tls=true/],
  ])('refuses %s', (url, problem) => {
    expect(() => addressOf(url)).toThrow(problem);
  });
});

describe('a position in topics', () => {
  const at = (places: Readonly<Record<string, readonly [number, string | null]>>, cluster = 'c') =>
    positionText(
      cluster,
      new Map(
        Object.entries(places).map(([name, [offset, mark]]) => [name, { offset: BigInt(offset), mark }]),
      ),
    );

  it('is what it was after being written down', () => {
    const position = at({ 'b-2.x_y:10': [7, '1700000000000.12'], 'a:0': [0, null] });
    expect(position).toBe('kafka:c/a:0@0,b-2.x_y:10@7~1700000000000.12');
    const parsed = parsePosition(position);
    expect(parsed === null ? null : positionText(parsed.clusterId, parsed.places)).toBe(position);
  });

  it('is before another when no partition is further, and incomparable when one is and one is not', () => {
    const one = at({ 'a:0': [1, null], 'a:1': [5, null] });
    expect(comparePositions(one, at({ 'a:0': [2, null], 'a:1': [5, null] }))).toBe('before');
    expect(comparePositions(one, at({ 'a:0': [1, null], 'a:1': [4, null] }))).toBe('after');
    expect(comparePositions(one, at({ 'a:0': [2, null], 'a:1': [4, null] }))).toBe('incomparable');
    expect(comparePositions(one, at({ 'a:0': [1, null], 'a:1': [5, '1.2'] }))).toBe('equal');
    // A partition that came since was not read by the earlier one.
    expect(comparePositions(one, at({ 'a:0': [1, null], 'a:1': [5, null], 'a:2': [1, null] }))).toBe(
      'before',
    );
  });

  const ofTopic = (offset: bigint, mark: string | null, topicId: string | null, kind?: 'floor' | 'ceiling') =>
    positionText('c', new Map([['a:0', { offset, mark, topicId }]]), new Map(), kind);

  it('says which topic it is of, and is incomparable with one of another topic of that name', () => {
    const one = ofTopic(5n, '17.3.2', 'sX0b-1a_');
    expect(one).toBe('kafka:c/a:0@5~17.3.2+sX0b-1a_');
    const parsed = parsePosition(one);
    expect(parsed === null ? null : positionText(parsed.clusterId, parsed.places)).toBe(one);
    const another = [ofTopic(9n, '17.3.2', 'tX0bQ1aZ'), ofTopic(9n, null, 'tX0bQ1aZ', 'floor')];
    expect(another.map((place) => comparePositions(one, place))).toEqual(['incomparable', 'incomparable']);
    expect(comparePositions(ofTopic(9n, null, 'tX0bQ1aZ', 'ceiling'), one)).toBe('incomparable');
    expect(comparePositions(one, ofTopic(9n, null, 'sX0b-1a_', 'floor'))).toBe('before');
    // As earlier versions wrote it, or of brokers that do not tell.
    expect(comparePositions(one, ofTopic(9n, null, null))).toBe('before');
  });

  it('is behind another record where another leader took that in', () => {
    const one = ofTopic(5n, '17.3.2', null);
    expect(comparePositions(one, ofTopic(5n, '17.3.3', null))).toBe('incomparable');
    // As earlier versions wrote it.
    expect(comparePositions(one, ofTopic(5n, '17.3', null))).toBe('equal');
    expect(comparePositions(one, ofTopic(5n, '17.4', null))).toBe('incomparable');
  });

  it('is incomparable with one of another cluster, and with one behind another record', () => {
    const one = at({ 'a:0': [1, '17.3'] });
    expect(comparePositions(one, at({ 'a:0': [1, '17.3'] }, 'd'))).toBe('incomparable');
    expect(comparePositions(one, at({ 'a:0': [1, '18.3'] }))).toBe('incomparable');
  });
});
