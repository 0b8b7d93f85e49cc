import type { KafkaConfig } from '../config/kafka.ts';
import { TwinproofError } from '../errors.ts';
import type { PublishedMessage } from '../service/published-messages.ts';
import { Publisher, type TellPublishing } from '../service/publisher.ts';
import type { SiteIo } from './io.ts';
import { REAL_TIMING } from './timing.ts';

/** How long what is left may take at the end. */
const LAST_WORDS_MS = 10_000;

/** Publishing in the background. */
export interface Publishing {
  publish(messages: readonly PublishedMessage[]): void;
  /** Sends what is left, for ten seconds at most. Never throws. */
  close(): Promise<void>;
}

/** Null: the configuration does not ask for it. */
export function startPublishing(
  kafka: KafkaConfig | null,
  { openOutlet }: Pick<SiteIo, 'openOutlet'>,
  tell: TellPublishing,
): Publishing | null {
  const to = kafka?.publish ?? null;
  if (kafka === null || to === null) return null;
  const stop = new AbortController();
  const publisher = new Publisher({
    open: () => {
      if (openOutlet === undefined) throw new TwinproofError('TP-BUG', { message: 'no way out is known' });
      return openOutlet(kafka, to.topic);
    },
    bytesMax: to.buffer,
    timing: REAL_TIMING,
    random: Math.random,
    tell,
  });
  const running = publisher.run(stop.signal);
  return {
    publish: (messages) => {
      for (const { key, body } of messages) publisher.publish(key, body);
    },
    close: async () => {
      stop.abort();
      const enough = new AbortController();
      const late = REAL_TIMING.sleep(LAST_WORDS_MS, enough.signal).catch(() => undefined);
      await Promise.race([running, late]);
      enough.abort();
    },
  };
}
