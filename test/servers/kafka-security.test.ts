import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { kafkaClient } from '../../connectors/kafka/client.ts';
import { openTopicOutlet } from '../../connectors/kafka/topic-outlet.ts';
import { openTopicSite } from '../../connectors/kafka/topic-site.ts';
import { openTopicStream } from '../../connectors/kafka/topic-stream.ts';
import { kafkaFailure } from '../../connectors/kafka/failure.ts';
import { type KafkaAddress, SASL_MECHANISMS, type SaslMechanism } from '../../src/config/kafka.ts';
import { Secret } from '../../src/config/secret.ts';
import { verifyTopic } from '../../src/compare/topic-verify.ts';
import { CANARY, expectRefusal, runCli } from './harness/cli.ts';
import { recordOf, STATED_COLUMNS } from './harness/kafka-changes.ts';
import { KAFKA, missingPackage } from './harness/kafka-packages.ts';
import { createSecuredKafka, grant, type SecuredKafka } from './harness/kafka-security.ts';
import { SCRAM_USERS } from './harness/kafka-template.ts';
import { createTopic } from './harness/kafka-topics.ts';
import { forever } from './harness/server-set.ts';

const missing = await missingPackage(KAFKA);
const TOPICS = ['orders', 'dr.orders', 'dr.rpo', 'sealed'];

type Listener = Parameters<SecuredKafka['broker']>[0];

describe.skipIf(missing !== null)(
  `brokers that are secured${missing === null ? '' : ` (${missing})`}`,
  () => {
    let kafka: SecuredKafka;

    beforeAll(async () => {
      kafka = await createSecuredKafka();
      const admin = await kafka.server.admin();
      for (const topic of TOPICS) await createTopic(admin, topic);
      const producer = kafka.server.client().producer();
      await producer.connect();
      const timestamp = String(Date.now());
      const messages = [1, 2, 3].map((id) =>
        Object.assign({ timestamp }, recordOf({ op: 'c', id, text: 'a', tx: id, lsn: id * 100 })),
      );
      for (const topic of ['orders', 'dr.orders', 'sealed']) await producer.send({ topic, messages });
      await producer.disconnect();
      await grant(admin, 'verifier', [
        'READ TOPIC orders',
        'READ TOPIC dr.orders',
        'DESCRIBE_CONFIGS TOPIC orders',
        'DESCRIBE_CONFIGS TOPIC dr.orders',
        'DESCRIBE TOPIC sealed',
      ]);
      await grant(admin, 'publisher', ['WRITE TOPIC dr.rpo', 'READ TOPIC sealed', 'DESCRIBE TOPIC orders']);
    }, 300_000);

    afterAll(() => kafka.server.destroy());

    function as(
      user: string,
      own: { listener?: Listener; mechanism?: SaslMechanism; password?: string; ca?: string } = {},
    ): KafkaAddress {
      const { listener = 'SECURE', mechanism = 'scram-sha-512', ca = kafka.authority } = own;
      const password = new Secret(own.password ?? SCRAM_USERS[user] ?? '');
      return {
        brokers: [kafka.broker(listener)],
        tls: listener === 'OPEN' ? null : { ca },
        sasl: { mechanism, user, password },
      };
    }

    const unknown = (listener: Listener, ca: string): KafkaAddress => ({
      brokers: [kafka.broker(listener)],
      tls: { ca },
      sasl: null,
    });

    async function compare(address: KafkaAddress, [primary, candidate]: readonly [string, string]) {
      const timing = { now: () => Date.now(), sleep: (ms: number) => sleep(ms) };
      return verifyTopic(
        await openTopicSite(address, primary),
        await openTopicSite(address, candidate),
        { applyWithinMs: 1000, timing },
        forever(),
      );
    }

    /** How many changes a topic gives. */
    async function streamed(address: KafkaAddress, topic: string): Promise<number> {
      const decoder = {
        settings: { decimals: 'precise', times: 'adaptive', binary: 'bytes' },
        declared: new Map([['public.letters', STATED_COLUMNS]]),
        beforeImages: false,
      } as const;
      const options = { topics: [topic], decoder, waitMs: 200 };
      const stream = await openTopicStream(await kafkaClient(address), options, null, forever());
      let inserts = 0;
      for await (const batch of stream.batches) {
        inserts += batch.filter(({ type }) => type === 'insert').length;
        if (batch.at(-1)?.type === 'idle') return inserts;
      }
      return inserts;
    }

    async function publish(address: KafkaAddress, topic: string): Promise<void> {
      const outlet = await openTopicOutlet(address, topic);
      try {
        await outlet.send([{ key: 'bank/gasan', value: '{}' }]);
      } finally {
        await outlet.close();
      }
    }

    /** What it failed with; nothing of it tells a password. */
    async function failure(attempt: Promise<unknown>): Promise<Error> {
      const error = await attempt.then(
        () => new Error('it did not fail'),
        (thrown: unknown) => kafkaFailure(thrown),
      );
      const text = inspect(error, { depth: 12, showHidden: true });
      for (const secret of [CANARY, ...Object.values(SCRAM_USERS)]) expect(text).not.toContain(secret);
      return error;
    }

    test.each(SASL_MECHANISMS)(
      'with TLS and %s the least rights are enough to compare, to stream and to publish',
      async (mechanism) => {
        const verifier = as('verifier', { mechanism });
        const [result, changes] = await Promise.all([
          compare(verifier, ['orders', 'dr.orders']),
          streamed(verifier, 'orders'),
          publish(as('publisher', { mechanism }), 'dr.rpo'),
        ]);
        expect([result.outcome, result.reasons, result.partitions[0]?.matched]).toEqual(['same', [], 3n]);
        expect(changes).toBe(3);
      },
    );

    test('TLS without a login and a login without TLS serve as well', async () => {
      const results = [unknown('TLS', kafka.authority), as('verifier', { listener: 'OPEN' })].map((address) =>
        compare(address, ['orders', 'dr.orders']),
      );
      expect((await Promise.all(results)).map(({ outcome }) => outcome)).toEqual(['same', 'same']);
    });

    test('whoever is not who they say is refused: other authorities, other hosts, no TLS at all', async () => {
      const facts = async (address: KafkaAddress): Promise<unknown> =>
        (await openTopicSite(address, 'orders')).facts(forever());
      const errors = await Promise.all([
        failure(facts(as('verifier', { ca: kafka.otherAuthority }))),
        failure(facts(unknown('TLS', kafka.otherAuthority))),
        failure(facts(unknown('OTHER', kafka.otherAuthority))),
        failure(publish(as('publisher', { ca: kafka.otherAuthority }), 'dr.rpo')),
        failure(streamed(as('verifier', { ca: kafka.otherAuthority }), 'orders')),
      ]);
      expect(errors).toMatchObject(errors.map(() => ({ code: 'TP-TLS', retryable: false })));
      const { broker } = kafka.server;
      const closed = await Promise.all([
        failure(facts({ ...as('verifier'), brokers: [broker] })),
        failure(facts({ ...as('verifier'), tls: null })),
      ]);
      // A broker hangs up on what it does not understand.
      const told = { code: expect.stringMatching(/^TP-(?:UNREACHABLE|CONNECTION-LOST)$/), retryable: true };
      const expected = { ...told, hint: expect.stringContaining('TLS') };
      expect(closed).toMatchObject([expected, expected]);
    });

    test('a login that the brokers refuse is told as such, by every mechanism', async () => {
      const attempts = SASL_MECHANISMS.flatMap((mechanism) => [
        compare(as('verifier', { mechanism, password: CANARY }), ['orders', 'dr.orders']),
        publish(as('stranger', { mechanism, password: CANARY }), 'dr.rpo'),
        streamed(as('verifier', { mechanism, password: CANARY }), 'orders'),
      ]);
      const others = compare(as('verifier', { listener: 'OPEN', mechanism: 'scram-sha-256' }), [
        'orders',
        'dr.orders',
      ]);
      const errors = await Promise.all([...attempts, others].map((attempt) => failure(attempt)));
      expect(errors).toMatchObject(errors.map(() => ({ code: 'TP-AUTH', retryable: false })));
    });

    test('an ACL that is missing is told, and which ones are needed', async () => {
      const errors = await Promise.all([
        failure(streamed(as('verifier'), 'sealed')),
        failure(compare(as('verifier'), ['orders', 'sealed'])),
        failure(publish(as('publisher'), 'orders')),
        failure(publish(as('nobody'), 'dr.rpo')),
      ]);
      expect(errors).toMatchObject(
        errors.map(() => ({ code: 'TP-PERMISSION', hint: expect.stringContaining('ACL') })),
      );
      // What may not be described cannot be told from what is not there.
      const unseen = await Promise.all([
        failure(streamed(as('nobody'), 'orders')),
        failure(compare(as('nobody'), ['orders', 'dr.orders'])),
      ]);
      expect(unseen).toMatchObject(
        unseen.map(() => ({ code: 'TP-STREAM-SETUP', hint: expect.stringContaining('DESCRIBE') })),
      );
    });

    test('a topic whose settings may not be seen counts as compacted', async () => {
      const site = await openTopicSite(as('verifier'), 'sealed');
      expect((await site.facts(forever())).compacted).toBe(true);
      const open = await openTopicSite(as('verifier'), 'orders');
      expect((await open.facts(forever())).compacted).toBe(false);
    });

    // The program may have to be built first.
    test(
      'the command takes authority, user and mechanism from the address',
      { timeout: 180_000 },
      async () => {
        const address = (topic: string): string =>
          `kafka://verifier@${kafka.broker('SECURE')}/${topic}?ca=${kafka.authority}&mechanism=scram-sha-256`;
        const args = ['verify', '--primary', address('orders'), '--candidate', address('dr.orders')];
        const right = { KAFKA_PASSWORD: SCRAM_USERS['verifier'] ?? '' };
        const [equal, refused] = await Promise.all([
          runCli(args, { env: right }),
          runCli(args, { env: { KAFKA_PASSWORD: CANARY } }),
        ]);
        expect([equal.code, equal.stdout]).toEqual([0, expect.stringContaining('3 records equal')]);
        expectRefusal(refused, 3, 'TP-AUTH');
      },
    );
  },
);
