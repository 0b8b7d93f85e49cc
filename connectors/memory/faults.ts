import { TwinproofError } from '../../src/errors.ts';

export type SiteName = 'primary' | 'candidate';

/** What a connector may be asked for; `batch` is one delivery of rows within a readRange. */
export type Operation =
  | 'identify'
  | 'relateTo'
  | 'preflight'
  | 'describeTables'
  | 'head'
  | 'applied'
  | 'planRanges'
  | 'splitRange'
  | 'readRange'
  | 'batch'
  | 'readRows'
  | 'commitsPending'
  | 'describeKeys'
  | 'lag'
  | 'readiness';

/** `retryable`: the connection is lost; `permanent`: no permission; `corrupt`: the storage cannot be read. */
export type FaultKind = 'retryable' | 'permanent' | 'corrupt';

/**
 * A call that fails: the `nth` (from 1) of its operation on that site since the world began, and the `times - 1` after
 * it. At a `batch` a part of its bytes is delivered first, cut anywhere.
 */
export interface Fault {
  readonly site: SiteName;
  readonly operation: Operation;
  readonly nth: number;
  readonly error: FaultKind;
  /** 1 when left out. */
  readonly times?: number;
}

/** Counts calls and says which of them fail. */
export class FaultBook {
  readonly #faults: Fault[] = [];
  readonly #counts = new Map<string, number>();

  add(fault: Fault): void {
    this.#faults.push(fault);
  }

  /** How many calls of this operation the site has had. */
  count(site: SiteName, operation: Operation): number {
    return this.#counts.get(`${site} ${operation}`) ?? 0;
  }

  /** Counts a call; returns the error with which it fails, or null. */
  next(site: SiteName, operation: Operation): TwinproofError | null {
    const count = this.count(site, operation) + 1;
    this.#counts.set(`${site} ${operation}`, count);
    const hit = this.#faults.find(
      (fault) =>
        fault.site === site &&
        fault.operation === operation &&
        count >= fault.nth &&
        count < fault.nth + (fault.times ?? 1),
    );
    return hit === undefined ? null : errorOf(hit);
  }
}

function errorOf(fault: Fault): TwinproofError {
  const where = `simulated at ${fault.operation} on the ${fault.site}`;
  switch (fault.error) {
    case 'retryable':
      return new TwinproofError('TP-CONNECTION-LOST', {
        message: `connection lost, ${where}`,
        retryable: true,
      });
    case 'permanent':
      return new TwinproofError('TP-PERMISSION', { message: `permission denied, ${where}` });
    default:
      return new TwinproofError('TP-CORRUPT', { message: `storage cannot be read, ${where}` });
  }
}
