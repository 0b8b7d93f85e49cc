import type { Connector } from '../src/connector/contract.ts';
import type { LedgerSite } from '../src/connector/ledger-sites.ts';
import type { StreamSettings } from '../src/config/stream.ts';
import type { SinkSettings } from '../src/config/topics.ts';
import type { KafkaAddress } from '../src/config/kafka.ts';
import type { SiteAddress } from '../src/config/url.ts';
import type { MirrorLog } from '../src/connector/mirror-log.ts';
import type { Outlet } from '../src/connector/outlet.ts';
import type { TopicSite } from '../src/connector/topic-site.ts';
import { TwinproofError } from '../src/errors.ts';

export interface SiteOptions {
  /** Reads at once. */
  readonly jobs: number;
  /** Milliseconds a statement may take; 0 is no limit of ours. */
  readonly statementTimeoutMs: number;
  /** For sites whose changes are streamed; absent: the usual names. */
  readonly stream?: StreamSettings;
}

/**
 * Whether what rows are read with is there and whole: to be asked before any server is. Throws TP-INSTALL.
 */
export async function demandModules(): Promise<void> {
  const { instantiateKernel, KERNEL_BASE_BYTES } = await import('../src/digest/kernel-module.ts');
  const { instantiateTranscoder, TRANSCODE_BASE_BYTES } = await import('./mysql/transcode-module.ts');
  instantiateKernel(KERNEL_BASE_BYTES);
  instantiateTranscoder(TRANSCODE_BASE_BYTES);
}

/** Opens a site. Throws TP-UNREACHABLE, TP-AUTH, TP-DATABASE, TP-TLS, TP-VERSION, TP-URL. */
export async function connectSite(
  address: SiteAddress,
  options: SiteOptions,
  signal: AbortSignal,
): Promise<Connector> {
  const { topics, sink } = options.stream ?? {};
  if (address.engine === 'kafka' && topics !== undefined) {
    const { connectTopics } = await import('./kafka/topic-primary.ts');
    return connectTopics(address, topics, signal);
  }
  if (address.engine === 'kafka') {
    throw new TwinproofError('TP-USAGE', {
      message: 'a topic can only be verified against another topic',
      hint: 'give --primary and --candidate as kafka://host:9092/topic; a database that is known by its topics alone is for `watch`, `lag` and `certify` with --config',
    });
  }
  // Loaded when a site is opened: help and offline commands start without any driver.
  if (address.engine === 'mysql') {
    const { connectMysql } = await import('./mysql/connector.ts');
    return joined(await connectMysql(address, options, signal), sink);
  }
  const { connectPostgres } = await import('./postgres/connector.ts');
  return joined(await connectPostgres(address, options, signal), sink);
}

/** The database, with what writes it where that is a sink. */
async function joined(
  database: Connector & LedgerSite,
  sink: SinkSettings | undefined,
): Promise<Connector & LedgerSite> {
  if (sink === undefined) return database;
  try {
    const { sinkSite } = await import('./kafka/sink-site.ts');
    return await sinkSite(database, sink);
  } catch (error) {
    await database.close();
    throw error;
  }
}

/** Opens a topic to publish to. Throws TP-UNREACHABLE, TP-AUTH, TP-TLS, TP-PERMISSION. */
export async function openOutlet(address: KafkaAddress, topic: string): Promise<Outlet> {
  const { openTopicOutlet } = await import('./kafka/topic-outlet.ts');
  return openTopicOutlet(address, topic);
}

/** Opens a topic that a ledger is written to as well; connects when it is asked. Throws TP-TLS. */
export async function openMirror(address: KafkaAddress, topic: string): Promise<MirrorLog> {
  const { openLedgerTopic } = await import('./kafka/ledger-topic.ts');
  return openLedgerTopic(address, topic);
}

/** The same by an address such as kafka://host:9092/topic. Throws TP-URL, TP-TLS, TP-SECRET. */
export async function openMirrorAt(address: SiteAddress): Promise<MirrorLog> {
  const { topicAddress } = await import('./kafka/topic-address.ts');
  const { kafka, topic } = topicAddress(address, process.env);
  return openMirror(kafka, topic);
}

/** Opens a topic to be compared. Throws TP-URL, TP-TLS, TP-SECRET; connects when it is asked. */
export async function openTopic(address: SiteAddress): Promise<TopicSite> {
  const { topicAddress } = await import('./kafka/topic-address.ts');
  const { openTopicSite } = await import('./kafka/topic-site.ts');
  const { kafka, topic } = topicAddress(address, process.env);
  return openTopicSite(kafka, topic);
}
