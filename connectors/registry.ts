import type { Connector } from '../src/connector/contract.ts';
import type { SiteAddress } from '../src/config/url.ts';
import type { PostgresOptions } from './postgres/connector.ts';

/** Opens a site. Throws TP-UNREACHABLE, TP-AUTH, TP-DATABASE, TP-TLS, TP-VERSION, TP-URL. */
export async function connectSite(
  address: SiteAddress,
  options: PostgresOptions,
  signal: AbortSignal,
): Promise<Connector> {
  // Loaded when a site is opened: help and offline commands start without any driver.
  const { connectPostgres } = await import('./postgres/connector.ts');
  return connectPostgres(address, options, signal);
}
