import type { BankSession } from './bank-writer.ts';
import type { BrokenRow } from './broken-row.ts';

/** Rows of the copy that are not the primary's any more. */
export interface Spoilt {
  readonly rows: readonly BrokenRow[];
  /** What was done, as a sentence that goes on from what came before. */
  readonly done: string;
  /** What the ledger knows against it. */
  readonly moral: string;
}

/** A primary and its copy in the acts of the fire, whichever engine they are of. */
export interface FirePair {
  /** What the copy is called: `standby`, `replica`. */
  readonly copy: string;
  /** Path of the configuration that names both. */
  readonly config: string;
  /** The program that a DBA hands SQL to. */
  readonly client: string;
  /** What `preflight --sql` prints, in words. */
  readonly setup: string;
  /** Does on the primary what `preflight --sql` printed, as its DBA would. */
  setUp(sql: string): Promise<void>;
  /** A session of an application on the primary. */
  connect(): Promise<BankSession>;
  /** The copy gets nothing more of the primary's log. */
  cutLink(): Promise<void>;
  /** Kills the primary as a power cut would, and erases its files; the answer is when it was dead. */
  burn(): Promise<Date>;
  /** Of what the bank's transactions insert, the rows that the copy has. */
  rowsThere(): Promise<ReadonlySet<string>>;
  /** Changes rows of the copy of which no log tells, and starts it anew. */
  spoil(): Promise<Spoilt>;
}
