import type { Connector } from '../connector/contract.ts';
import type { MirrorLog } from '../connector/mirror-log.ts';
import type { Outlet } from '../connector/outlet.ts';
import type { TopicSite } from '../connector/topic-site.ts';
import type { KafkaAddress } from '../config/kafka.ts';
import type { Environment } from '../config/secret.ts';
import type { StreamSettings } from '../config/stream.ts';
import type { SiteAddress } from '../config/url.ts';
import type { TerminalStream } from '../report/bar-terminal.ts';

/** What a command touches beside the files and servers it is told of; injected, so that tests hold the clock. */
export interface CommandIo {
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
  readonly now: () => Date;
  readonly randomBytes: (size: number) => Uint8Array;
}

/** How hard a connector may lean on its server. */
export interface ConnectOptions {
  readonly jobs: number;
  /** Milliseconds one statement may take; 0: no limit of ours. */
  readonly statementTimeoutMs: number;
  /** For sites whose changes are streamed; absent: the usual names. */
  readonly stream?: StreamSettings;
}

export type ConnectSite = (
  address: SiteAddress,
  options: ConnectOptions,
  signal: AbortSignal,
) => Promise<Connector>;

/** Throws TP-UNREACHABLE, TP-AUTH, TP-TLS, TP-PERMISSION. */
export type OpenOutlet = (address: KafkaAddress, topic: string) => Promise<Outlet>;

/** Throws TP-TLS; connects when it is asked. */
export type OpenMirror = (address: KafkaAddress, topic: string) => Promise<MirrorLog>;

/** The same by an address such as kafka://host:9092/topic. Throws TP-URL too. */
export type OpenMirrorAt = (address: SiteAddress) => Promise<MirrorLog>;

/** Throws TP-URL, TP-TLS; connects when it is asked. */
export type OpenTopic = (address: SiteAddress) => Promise<TopicSite>;

/** What a command that visits sites needs besides. */
export interface SiteIo extends CommandIo {
  readonly connect: ConnectSite;
  /** Opens a topic to publish to; absent: nothing can be published. */
  readonly openOutlet?: OpenOutlet;
  /** Opens a topic that a ledger is written to as well; absent: none can be. */
  readonly openMirror?: OpenMirror;
  readonly openMirrorAt?: OpenMirrorAt;
  /** Opens a topic to be compared; absent: none can be. */
  readonly openTopic?: OpenTopic;
  /** URL of the module that `connect` comes from, for worker threads, which get no functions. */
  readonly registry: string;
  readonly environment: Environment;
  /** Where progress goes. */
  readonly progress: TerminalStream;
  /** Columns and colour of standard output. */
  readonly screen: Screen;
  /** Aborted by Ctrl-C, with a TwinproofError as the reason. */
  readonly signal: AbortSignal;
}

export interface Screen {
  readonly width: number;
  readonly colour: boolean;
  readonly unicode: boolean;
}
