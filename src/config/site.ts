import { TwinproofError } from '../errors.ts';
import type { Config } from './load.ts';
import { PRIMARY } from './policy.ts';
import type { SiteConfig, SystemConfig } from './schema.ts';
import { looksLikeUrl, parseUrl, redactAddress, type SiteAddress } from './url.ts';

export interface FoundSite {
  readonly address: SiteAddress;
  /** What a person recognises it by: `bank/gasan`, or the URL without its password. */
  readonly label: string;
  /** Null when a URL was typed. */
  readonly system: SystemConfig | null;
  readonly site: SiteConfig | null;
  readonly warnings: readonly string[];
}

/**
 * The site that was typed after `--primary` or `--candidate`: a connection URL; `system/site`, where the site is
 * `primary` or a candidate (either may be typed for either role: after a failover they have changed); for the primary
 * also the name of a system; for the candidate also its own name, or that of a system with one candidate.
 *
 * @throws TwinproofError TP-URL, or TP-USAGE that lists the names that exist.
 */
export function findSite(
  config: Config | null,
  typed: string,
  role: 'primary' | 'candidate' | 'site',
): FoundSite {
  if (looksLikeUrl(typed)) {
    const { address, warnings } = parseUrl(typed, 'argument');
    return { address, label: redactAddress(address), system: null, site: null, warnings };
  }
  if (config === null) {
    // What was typed stays out of the message: it may be a URL whose scheme was forgotten, password and all.
    throw new TwinproofError('TP-USAGE', {
      message: `${optionOf(role)} is not a connection URL, and there is no configuration to look a name up in`,
      hint: 'write postgres://user@host:5432/database or mysql://user@host:3306/database, or give --config as well',
    });
  }
  const found = role === 'primary' ? primariesNamed(config, typed) : candidatesNamed(config, typed);
  const [only, ...others] = found;
  if (only === undefined) throw notFound(config, typed, role, 'names no site of the configuration');
  if (others.length > 0) throw notFound(config, typed, role, 'names more than one site');
  const { system, site } = only;
  return { address: site.address, label: labelOf(system, site), system, site, warnings: site.warnings };
}

interface Named {
  readonly system: SystemConfig;
  readonly site: SiteConfig;
}

function labelOf(system: SystemConfig, site: SiteConfig): string {
  return `${system.name}/${site.name}`;
}

function allSites(config: Config): readonly Named[] {
  return config.systems.flatMap((system) =>
    [system.primary, ...system.candidates].map((site) => ({ system, site })),
  );
}

function primariesNamed(config: Config, typed: string): readonly Named[] {
  return allSites(config).filter(
    ({ system, site }) => labelOf(system, site) === typed || (site.name === PRIMARY && system.name === typed),
  );
}

function candidatesNamed(config: Config, typed: string): readonly Named[] {
  const exact = allSites(config).filter(
    ({ system, site }) => labelOf(system, site) === typed || (site.name !== PRIMARY && site.name === typed),
  );
  if (exact.length > 0) return exact;
  return allSites(config).filter(({ system, site }) => site.name !== PRIMARY && system.name === typed);
}

function optionOf(role: 'primary' | 'candidate' | 'site'): string {
  return role === 'site' ? 'the site' : `--${role}`;
}

function notFound(
  config: Config,
  typed: string,
  role: 'primary' | 'candidate' | 'site',
  problem: string,
): TwinproofError {
  const names = allSites(config).map(({ system, site }) => labelOf(system, site));
  // A name holds neither @ nor =; what does may be part of a URL or of a connection string with a password.
  const shown = /^[^@=:]{1,60}$/.test(typed) ? JSON.stringify(typed) : 'the text given';
  return new TwinproofError('TP-USAGE', {
    message: `${optionOf(role)}: ${shown} ${problem}`,
    hint: `these are known: ${names.join(', ')}; or write a connection URL`,
  });
}
