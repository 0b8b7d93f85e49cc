import { MemoryConnector } from './connector.ts';
import type { SiteName } from './faults.ts';
import { World, type WorldOptions } from './world.ts';

export interface MemoryPair {
  readonly primary: MemoryConnector;
  readonly candidate: MemoryConnector;
  readonly world: World;
  /** One more connection to a site. */
  connect(site: SiteName): MemoryConnector;
}

/** A primary and a candidate that holds the same rows, with the world that moves both. */
export function createMemoryPair(options: WorldOptions): MemoryPair {
  const world = new World(options);
  const connect = (site: SiteName): MemoryConnector => new MemoryConnector(world, world.site(site));
  return { primary: connect('primary'), candidate: connect('candidate'), world, connect };
}
