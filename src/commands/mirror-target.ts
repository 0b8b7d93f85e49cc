import type { MirrorConfig } from '../config/kafka.ts';
import type { LedgerConfig } from '../config/schema.ts';
import { TwinproofError } from '../errors.ts';
import type { MirrorTarget } from '../service/ledger-mirror.ts';
import type { SiteIo } from './io.ts';

const SYSTEM = '{system}';
/** 32 hexadecimal digits. */
const EPOCH_BYTES = 16;

/**
 * The topic of a system. Throws TP-CONFIG where its name can be no topic's, or several systems would share one: a ledger
 * needs a topic of its own.
 */
export function mirrorTopic({ topic }: MirrorConfig, system: string, systems: number): string {
  if (systems > 1 && !topic.includes(SYSTEM)) {
    throw new TwinproofError('TP-CONFIG', {
      message: 'several systems would be mirrored to one topic',
      hint: 'write {system} into ledger.mirror.topic, such as dr.ledger.{system}',
    });
  }
  const name = topic.replaceAll(SYSTEM, system);
  if (/^[\w.-]{1,249}$/.test(name)) return name;
  throw new TwinproofError('TP-CONFIG', {
    message: 'this system’s name cannot stand in the name of a topic',
    hint: 'topics have letters, digits, dots, underscores and hyphens: watch this system with a configuration of its own, and name the topic there',
  });
}

/** Where the ledger of a system is written to as well; null: nowhere. Throws as mirrorTopic. */
export function mirrorTarget(
  ledger: LedgerConfig | null,
  system: string,
  systems: number,
  io: Pick<SiteIo, 'openMirror' | 'randomBytes'>,
): MirrorTarget | null {
  const mirror = ledger?.mirror;
  if (mirror === undefined) return null;
  const { openMirror, randomBytes } = io;
  if (openMirror === undefined) throw new TwinproofError('TP-BUG', { message: 'no mirror can be opened' });
  const topic = mirrorTopic(mirror, system, systems);
  return {
    topic,
    open: () => openMirror(mirror, topic),
    renewMs: mirror.renew,
    drawEpoch: () => Buffer.from(randomBytes(EPOCH_BYTES)).toString('hex'),
  };
}
