import type { Connector } from '../src/connector/contract.ts';
import type { SiteAddress } from '../src/config/url.ts';
import { connectPostgres, type PostgresOptions } from './postgres/connector.ts';

/** Opens a site. Throws TP-UNREACHABLE, TP-AUTH, TP-DATABASE, TP-TLS, TP-VERSION, TP-URL. */
export function connectSite(
  address: SiteAddress,
  options: PostgresOptions,
  signal: AbortSignal,
): Promise<Connector> {
  return connectPostgres(address, options, signal);
}
