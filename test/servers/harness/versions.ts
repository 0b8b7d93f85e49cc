/**
 * Versions of a server that a long test runs on: as a rule those that tell something of their own, and all of them with
 * `TWINPROOF_FULL=1`, as one does after a change of what is about versions.
 */
export function versionsOf<Version>(asRule: readonly Version[], all: readonly Version[]): readonly Version[] {
  return process.env['TWINPROOF_FULL'] === '1' ? all : asRule;
}
