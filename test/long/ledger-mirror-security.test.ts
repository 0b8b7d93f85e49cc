import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openLedgerTopic } from '../../connectors/kafka/ledger-topic.ts';
import type { KafkaAddress } from '../../src/config/kafka.ts';
import { Secret } from '../../src/config/secret.ts';
import { KAFKA, missingPackage } from '../servers/harness/kafka-packages.ts';
import { createSecuredKafka, grant, type SecuredKafka } from '../servers/harness/kafka-security.ts';
import { SCRAM_USERS } from '../servers/harness/kafka-template.ts';
import { createTopic } from '../servers/harness/kafka-topics.ts';
import { forever } from '../servers/harness/server-set.ts';

const missing = await missingPackage(KAFKA);

describe.skipIf(missing !== null)(
  `the topic of a mirror on brokers that are secured${missing === null ? '' : ` (${missing})`}`,
  () => {
    let kafka: SecuredKafka;

    beforeAll(async () => {
      kafka = await createSecuredKafka();
      const admin = await kafka.server.admin();
      await createTopic(admin, 'dr.ledger');
      await createTopic(admin, 'wide', 2);
      await grant(admin, 'publisher', ['WRITE TOPIC dr.ledger', 'READ TOPIC dr.ledger', 'READ TOPIC wide']);
      await grant(admin, 'verifier', ['READ TOPIC dr.ledger']);
    }, 300_000);

    afterAll(() => kafka.server.destroy());

    const as = (user: string): KafkaAddress => ({
      brokers: [kafka.broker('SECURE')],
      tls: { ca: kafka.authority },
      sasl: { mechanism: 'scram-sha-512', user, password: new Secret(SCRAM_USERS[user] ?? '') },
    });

    test('is written with WRITE and READ on it alone, and read for a rebuild with READ', async () => {
      const writer = await openLedgerTopic(as('publisher'), 'dr.ledger');
      const reader = await openLedgerTopic(as('verifier'), 'dr.ledger');
      try {
        const big = Buffer.alloc(900_000, 7);
        expect(await writer.append([{ key: 'a', value: big }])).toBe(1n);
        expect(await writer.append([1, 2].map((n) => ({ key: `b${n}`, value: Buffer.of(n) })))).toBe(3n);
        const extent = await reader.extent(forever());
        expect(extent).toEqual({ first: 0n, end: 3n });
        const read: (readonly [bigint, number | undefined])[] = [];
        await reader.read(
          { ...extent, first: 1n },
          ({ offset, value }) => read.push([offset, value?.[0]]),
          forever(),
        );
        expect(read).toEqual([
          [1n, 1],
          [2n, 2],
        ]);
        await expect(reader.append([{ key: 'c', value: Buffer.of(3) }])).rejects.toMatchObject({
          code: 'TP-PERMISSION',
        });
      } finally {
        await Promise.all([writer.close(), reader.close()]);
      }
    }, 120_000);

    test('has one partition, and what reading it throws is told as it is', async () => {
      const wide = await openLedgerTopic(as('publisher'), 'wide');
      const narrow = await openLedgerTopic(as('publisher'), 'dr.ledger');
      try {
        await expect(wide.extent(forever())).rejects.toMatchObject({
          code: 'TP-STREAM-SETUP',
          message: 'the topic wide has 2 partitions',
        });
        const full = Object.assign(new Error('no space'), { code: 'ENOSPC' });
        const refuse = (): never => {
          throw full;
        };
        await expect(narrow.read({ first: 0n, end: 1n }, refuse, forever())).rejects.toBe(full);
      } finally {
        await Promise.all([wide.close(), narrow.close()]);
      }
    }, 120_000);
  },
);
