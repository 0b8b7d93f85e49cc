import type { Config } from '../config/load.ts';
import { isEmptyMapping, type Mapping, NO_MAPPING } from '../config/mapping.ts';
import { PRIMARY } from '../config/policy.ts';
import type { SystemConfig } from '../config/schema.ts';
import { findSite, type FoundSite } from '../config/site.ts';
import type { Connector } from '../connector/contract.ts';
import type { TableSelection } from '../connector/table.ts';
import { TwinproofError } from '../errors.ts';
import type { SiteIo } from './io.ts';

/** Which sites and tables the user means. */
export interface SiteOptions {
  readonly primary: string | null;
  readonly candidate: string | null;
  readonly config: string | null;
  readonly system: string | null;
  readonly tables: readonly string[];
  readonly exclude: readonly string[];
}

export interface ChosenSites {
  readonly config: Config | null;
  readonly primary: FoundSite;
  readonly candidate: FoundSite;
  readonly selection: TableSelection;
  /** Who named the exclusions. */
  readonly selectedBy: 'command line' | 'configuration';
  /** What names of the primary are on the candidate. */
  readonly mapping: Mapping;
}

/** Resolves what was typed. Throws TP-USAGE, TP-CONFIG, TP-SECRET, TP-URL. */
export async function chooseSites(
  options: SiteOptions,
  io: Pick<SiteIo, 'environment' | 'stderr'>,
): Promise<ChosenSites> {
  const config = options.config === null ? null : await readConfig(options.config, io);
  const system = systemOf(config, options);
  const primary = findSite(config, typedPrimary(options, system), 'primary');
  const candidate = findSite(config, typedCandidate(options, system), 'candidate');
  for (const warning of [...primary.warnings, ...candidate.warnings]) io.stderr(`warning: ${warning}\n`);
  const configured = candidate.system ?? primary.system;
  const fromConfig = options.tables.length === 0 && options.exclude.length === 0 && configured !== null;
  return {
    config,
    primary,
    candidate,
    selection: fromConfig
      ? configured.tables
      : { include: options.tables.length === 0 ? ['*.*'] : options.tables, exclude: options.exclude },
    selectedBy: fromConfig ? 'configuration' : 'command line',
    mapping: mappingOf(primary, candidate),
  };
}

/** The candidate's own mapping, or its system's. Throws TP-USAGE where the sites stand in other roles than it is for. */
function mappingOf(primary: FoundSite, candidate: FoundSite): Mapping {
  const system = candidate.system ?? primary.system;
  const mapping = candidate.site?.mapping ?? system?.mapping ?? NO_MAPPING;
  const swapped =
    candidate.site?.name === PRIMARY || (primary.site !== null && primary.site.name !== PRIMARY);
  const among = swapped ? [system?.mapping, candidate.site?.mapping, primary.site?.mapping] : [];
  if (among.every((one) => one === undefined || isEmptyMapping(one))) return mapping;
  throw new TwinproofError('TP-USAGE', {
    message:
      'the configuration maps names from its primary to its candidates, and these sites stand otherwise',
    hint: 'write a configuration in which the server that is the primary now is the primary',
  });
}

/**
 * Reads the configuration. Throws TP-CONFIG, TP-SECRET. What reads one is loaded only then: it is a fifth of the time to
 * start.
 */
export async function readConfig(file: string, io: Pick<SiteIo, 'environment'>): Promise<Config> {
  const { loadConfig } = await import('../config/load.ts');
  return loadConfig(file, io.environment);
}

/** The system named, or the only one. Throws TP-USAGE. */
export function systemNamed(config: Config, name: string | null): SystemConfig {
  const names = config.systems.map((system) => system.name).join(', ');
  if (name !== null) {
    const found = config.systems.find((system) => system.name === name);
    if (found !== undefined) return found;
    throw new TwinproofError('TP-USAGE', {
      message: `the configuration has no such system; it has ${names}`,
    });
  }
  const [only, ...others] = config.systems;
  if (only !== undefined && others.length === 0) return only;
  throw new TwinproofError('TP-USAGE', {
    message: `the configuration has several systems: ${names}`,
    hint: 'give --system NAME',
  });
}

/** The system meant: the one named, or the only one when no site was typed. */
function systemOf(config: Config | null, options: SiteOptions): SystemConfig | null {
  if (config === null) return null;
  if (options.system === null && config.systems.length !== 1) return null;
  return systemNamed(config, options.system);
}

function typedPrimary(options: SiteOptions, system: SystemConfig | null): string {
  if (options.primary !== null) return options.primary;
  if (system !== null) return `${system.name}/${system.primary.name}`;
  throw new TwinproofError('TP-USAGE', {
    message: 'no primary was given',
    hint: 'give --primary URL, or --config FILE and, if it has several systems, --system NAME',
  });
}

function typedCandidate(options: SiteOptions, system: SystemConfig | null): string {
  if (options.candidate !== null) {
    // A bare name means a candidate of the system that was named.
    const known = system?.candidates.some(({ name }) => name === options.candidate) === true;
    return known ? `${system.name}/${options.candidate}` : options.candidate;
  }
  const [only, ...others] = system?.candidates ?? [];
  if (system !== null && only !== undefined && others.length === 0) return `${system.name}/${only.name}`;
  const names = (system?.candidates ?? []).map(({ name }) => name).join(', ');
  throw new TwinproofError('TP-USAGE', {
    message: names === '' ? 'no candidate was given' : `the system has several candidates: ${names}`,
    hint: 'give --candidate URL or NAME',
  });
}

/** Opens both sites, runs `work`, and closes them whatever happens. */
export async function withSites<T>(
  sites: ChosenSites,
  options: { readonly jobs: number; readonly statementTimeoutMs: number },
  io: SiteIo,
  signal: AbortSignal,
  work: (primary: Connector, candidate: Connector) => Promise<T>,
): Promise<T> {
  const open = (address: FoundSite['address']): Promise<Connector> => io.connect(address, options, signal);
  const [primary, candidate] = await Promise.allSettled([
    open(sites.primary.address),
    open(sites.candidate.address),
  ]);
  try {
    if (primary.status === 'rejected') throw named('primary', primary.reason);
    if (candidate.status === 'rejected') throw named('candidate', candidate.reason);
    return await work(primary.value, candidate.value);
  } finally {
    for (const site of [primary, candidate]) if (site.status === 'fulfilled') await site.value.close();
  }
}

/** Says which of the two sites an error is about. */
function named(role: 'primary' | 'candidate', error: unknown): unknown {
  if (!(error instanceof TwinproofError)) return error;
  const { code, message, hint, retryable } = error;
  return new TwinproofError(code, { message: `${role}: ${message}`, hint, retryable, cause: error });
}
