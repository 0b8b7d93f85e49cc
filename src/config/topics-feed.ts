import type { TablePatterns } from './selection.ts';
import type { StreamSettings } from './stream.ts';
import type { TopicSettings } from './topics.ts';
import type { SiteAddress } from './url.ts';

/** What the configuration says of the way by topics, beside the address of a site. */
export interface SiteFeed {
  /** Of a primary. */
  readonly topics?: Omit<TopicSettings, 'tables'> | undefined;
  /** Of a candidate. */
  readonly sink?: { readonly group: string } | undefined;
}

export interface FeedProblem {
  readonly at: readonly PropertyKey[];
  readonly message: string;
}

interface FedSite extends SiteFeed {
  readonly address: SiteAddress;
  readonly stream: StreamSettings;
}

interface FedSites<Site extends FedSite> {
  readonly primary: Site;
  readonly candidates: readonly Site[];
  readonly tables: TablePatterns;
}

/** Without what the configuration says of the way: `stream` has it. */
type Plain<Site> = Omit<Site, keyof SiteFeed>;

const NOTHING_KNOWN: Omit<TopicSettings, 'tables'> = {
  decimals: null,
  times: null,
  binary: null,
  dates: null,
  wholeBefore: false,
  placeholder: null,
  columns: new Map(),
};

/**
 * A primary whose address is one of brokers is known by its topics alone, and its candidates are written by sinks. Pure:
 * the sites with what is needed to open them, and what is wrong.
 */
export function fedSites<Site extends FedSite>({
  primary,
  candidates,
  tables,
}: FedSites<Site>): {
  readonly primary: Plain<Site>;
  readonly candidates: readonly Plain<Site>[];
  readonly problems: readonly FeedProblem[];
} {
  const problems: FeedProblem[] = [];
  const { topics: said, sink: _, ...source } = primary;
  // In place of an address that is nobody's business there is one without a host.
  const isUnread = source.address.host === '';
  const isTopics = source.address.engine === 'kafka';
  if (!isTopics && !isUnread && said !== undefined) {
    problems.push({
      at: ['primary', 'topics'],
      message: 'topics are of a primary whose url is kafka://broker:9092/prefix',
    });
  }
  const topics = { ...(said ?? NOTHING_KNOWN), tables };
  const fed = candidates.map(({ sink, topics: _topics, ...site }, index): Plain<Site> => {
    const problem = isUnread
      ? null
      : problemOf(isTopics, site.address.engine === 'kafka', sink !== undefined);
    if (problem !== null) problems.push({ at: ['candidates', index, 'sink'], message: problem });
    if (!isTopics || sink === undefined) return site;
    return { ...site, stream: { ...site.stream, sink: { ...sink, address: source.address, topics } } };
  });
  return {
    primary: isTopics ? { ...source, stream: { ...source.stream, topics } } : source,
    candidates: fed,
    problems,
  };
}

function problemOf(fromTopics: boolean, toTopics: boolean, hasSink: boolean): string | null {
  if (toTopics) return 'a candidate is a database, not a topic';
  if (fromTopics && !hasSink) {
    return 'the primary is known by its topics: say which consumer group writes this candidate, sink: { group: … }';
  }
  if (!fromTopics && hasSink)
    return 'a sink writes candidates of a primary whose url is kafka://broker:9092/prefix';
  return null;
}
