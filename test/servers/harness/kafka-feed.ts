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
  /** `ledger.mirror`, as YAML in braces. */
  readonly mirror?: string;
  /** Other brokers than `kafka` that the address names. */
  readonly brokers?: readonly string[];
}

const KNOWN = '{ decimals: precise, times: adaptive, binary: bytes }';

/** A configuration with a system `bank` that is known by its topics, and one candidate `gasan` that a sink writes. */
export class FeedFolder extends WatchFolder {
  constructor(feed: Feed) {
    const {
      kafka,
      prefix,
      candidate,
      group,
      policy = '{}',
      topics = KNOWN,
      schema = 'public',
      mirror,
    } = feed;
    const others = feed.brokers === undefined ? '' : `?brokers=${feed.brokers.join()}`;
    const primary = { url: () => `kafka://${kafka.broker}/${prefix}${others}` };
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
ledger: { path: ./ledger${mirror === undefined ? '' : `, mirror: ${mirror}`} }
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
