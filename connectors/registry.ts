import type { Connector } from '../src/connector/contract.ts';
import type { StreamSettings } from '../src/config/stream.ts';
import type { KafkaAddress } from '../src/config/kafka.ts';
import type { SiteAddress } from '../src/config/url.ts';
import type { Outlet } from '../src/connector/outlet.ts';

export interface SiteOptions {
  /** Reads at once. */
  readonly jobs: number;
  /** Milliseconds a statement may take; 0 is no limit of ours. */
  readonly statementTimeoutMs: number;
  /** For sites whose changes are streamed; absent: the usual names. */
  readonly stream?: StreamSettings;
}

/** Opens a site. Throws TP-UNREACHABLE, TP-AUTH, TP-DATABASE, TP-TLS, TP-VERSION, TP-URL. */
export async function connectSite(
  address: SiteAddress,
  options: SiteOptions,
  signal: AbortSignal,
): Promise<Connector> {
  // Loaded when a site is opened: help and offline commands start without any driver.
  if (address.engine === 'mysql') {
    const { connectMysql } = await import('./mysql/connector.ts');
    return connectMysql(address, options, signal);
  }
  const { connectPostgres } = await import('./postgres/connector.ts');
  return connectPostgres(address, options, signal);
}

/** Opens a topic to publish to. Throws TP-UNREACHABLE, TP-AUTH, TP-TLS, TP-PERMISSION. */
export async function openOutlet(address: KafkaAddress, topic: string): Promise<Outlet> {
  const { openTopicOutlet } = await import('./kafka/topic-outlet.ts');
  return openTopicOutlet(address, topic);
}
