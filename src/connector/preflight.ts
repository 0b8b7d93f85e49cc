import type { TableSelection } from './table.ts';

/** Commands that ask something of a site, so that what each of them may do there can be told apart. */
export const SITE_COMMANDS = ['verify', 'certify', 'watch', 'lag', 'readiness'] as const;

export type SiteCommand = (typeof SITE_COMMANDS)[number];

export interface PreflightOptions {
  /**
   * What the site is to be good for: findings about other commands are left out, and what only those need is more than
   * is needed. Absent: everything but what only `watch` needs, and nothing that any command needs is too much.
   */
  readonly commands?: readonly SiteCommand[];
  /** Tables whose grants are looked at. Absent: all. */
  readonly selection?: TableSelection;
}

/** Privileges that a role can have or lack, and what needs them. */
export interface Need {
  readonly commands: readonly SiteCommand[];
}

const WITHOUT_LEDGER: readonly SiteCommand[] = ['verify', 'certify', 'readiness'];

/** The commands that are asked about. */
export function askedFor({ commands }: PreflightOptions): readonly SiteCommand[] {
  return commands ?? WITHOUT_LEDGER;
}

/** Those of the commands that are asked about and need it; none: it need not be there. */
export function neededBy(need: Need, options: PreflightOptions): readonly SiteCommand[] {
  return need.commands.filter((command) => askedFor(options).includes(command));
}

/** Whether none of the commands asked about has a use for it. Not to be asked of what a person decides on. */
export function isExcess(need: Need, { commands }: PreflightOptions): boolean {
  return commands !== undefined && !need.commands.some((command) => commands.includes(command));
}
