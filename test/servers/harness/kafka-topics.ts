import type { Admin } from 'kafkajs';
import { waitUntil } from '../../../src/demo/cluster-wait.ts';

const WAIT_MS = 60_000;

/** Makes a topic and waits until it can be written to. */
export async function createTopic(admin: Admin, topic: string, numPartitions = 1): Promise<void> {
  await admin.createTopics({ topics: [{ topic, numPartitions }], waitForLeaders: false });
  const led = (): Promise<boolean> =>
    admin.fetchTopicOffsets(topic).then(
      (offsets) => offsets.length === numPartitions,
      () => false,
    );
  await waitUntil(led, WAIT_MS, () => `${topic} has no leader`);
}
