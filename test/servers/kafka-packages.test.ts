import { expect, test } from 'vitest';
import { classPath, DEBEZIUM, KAFKA, MIRROR_MAKER, missingPackage } from './harness/kafka-packages.ts';
import { formatted } from './harness/kafka-template.ts';

const missing = await missingPackage(KAFKA);

// The first time they are downloaded; .ci/run runs this before everything else.
test.skipIf(missing !== null)(
  `the programs of Kafka, MirrorMaker and Debezium are here${missing === null ? '' : ` (${missing})`}`,
  { timeout: 600_000 },
  async () => {
    expect(await classPath(KAFKA)).toMatch(/kafka-4\.1\.1/);
    expect(await classPath(DEBEZIUM)).toMatch(/debezium-3\.3\.1/);
    expect(await classPath(MIRROR_MAKER)).toMatch(/mirror-maker-4\.1\.1/);
    expect(await formatted()).toMatch(/data/);
  },
);
