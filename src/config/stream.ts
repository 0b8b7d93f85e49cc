import type { SinkSettings, TopicSettings } from './topics.ts';

/** How a site's log is streamed, and by which names of objects that its DBA made (`twinproof preflight --sql`). */
export interface StreamSettings {
  readonly slot: string;
  readonly publication: string;
  /** Also where nothing keeps an unread slot from filling the server's disk (max_slot_wal_keep_size = −1). */
  readonly allowUnboundedWal: boolean;
  /** Folder for open transactions that come before their commit. Absent: the system's temporary folder. */
  readonly spoolFolder?: string;
  /** Of a standby: the folder, as this machine sees it, to which the primary's log is archived. */
  readonly archive?: string;
  /** Of a primary that is known by its topics alone. */
  readonly topics?: TopicSettings;
  /** Of a candidate that is written from topics. */
  readonly sink?: SinkSettings;
}

export const DEFAULT_STREAM: StreamSettings = {
  slot: 'twinproof',
  publication: 'twinproof',
  allowUnboundedWal: false,
};
