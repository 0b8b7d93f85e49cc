/** What an engine can do, as data: nobody finds out by calling and catching. */
export interface Capabilities {
  /** Rows can be read by range. False for a change log such as Kafka. */
  readonly ranges: boolean;
  /** Block ranges read equal rows in equal order on both sites of a physical pair. */
  readonly blockRanges: boolean;
  readonly changes: boolean;
  /** Any two positions of one lineage can be ordered. */
  readonly totalOrder: boolean;
  readonly beforeImages: boolean;
  /** Point reads carry row versions, so that "unchanged between two reads" is a fact and not a guess by value. */
  readonly rowVersions: boolean;
}
