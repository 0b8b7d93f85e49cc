import { writeFileSync } from 'node:fs';
import { comparePositions } from '../../../connectors/kafka/position.ts';
import { loadConfig } from '../../../src/config/load.ts';
import type { Cluster } from '../../../src/demo/cluster.ts';
import { Ledger } from '../../../src/ledger/ledger.ts';
import { ledgerOptions } from '../../../src/ledger/options.ts';
import type { KafkaServer } from './kafka-server.ts';
import { WatchFolder } from './watch.ts';

export interface Feed {
  readonly kafka: KafkaServer;
  readonly prefix: string;
  readonly candidate: Pick<Cluster, 'url'>;
  readonly group: string;
  /** More of `policy`, as YAML in braces. */
  readonly policy?: string;
  /** Of the tables that are watched; default: `public`. */
  readonly schema?: string;
  /** `topics` of the primary, as YAML in braces. */
  readonly topics?: string;
}

const KNOWN = '{ decimals: precise, times: adaptive, binary: bytes }';

/** A configuration with a system `bank` that is known by its topics, and one candidate `gasan` that a sink writes. */
export class FeedFolder extends WatchFolder {
  constructor({ kafka, prefix, candidate, group, policy = '{}', topics = KNOWN, schema = 'public' }: Feed) {
    const primary = { url: () => `kafka://${kafka.broker}/${prefix}` };
    super({ primary, candidates: {} });
    writeFileSync(
      this.config,
      `systems:
  bank:
    primary: { url: "${primary.url()}", topics: ${topics} }
    candidates:
      - { name: gasan, url: "${candidate.url()}", allowUnboundedWal: true, sink: { group: ${group} } }
    tables: { include: ["${schema}.*"] }
    policy: ${policy}
ledger: { path: ./ledger }
`,
    );
  }

  override async read(): Promise<Ledger> {
    const { ledger } = loadConfig(this.config, {});
    return await Ledger.read(
      ledgerOptions(ledger, 'bank', { source: null, comparePositions, now: () => new Date() }),
    );
  }
}
