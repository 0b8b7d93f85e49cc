import {
  type Cluster,
  type ClusterOptions,
  createCluster as createDemoCluster,
} from '../../../src/demo/cluster.ts';
import { initialiseFromTemplate } from './cluster-template.ts';

export type { Cluster, ClusterOptions };

/** Makes and starts a server with its own system identifier; half a second. @throws as that of the demo. */
export function createCluster(options: ClusterOptions): Promise<Cluster> {
  return createDemoCluster(options, initialiseFromTemplate);
}
