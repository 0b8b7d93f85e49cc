import type { Range } from '../connector/contract.ts';
import type { SiteAddress } from '../config/url.ts';
import type { ErrorCode } from '../error-codes.ts';
import type { RangeReading } from './range-reader.ts';
import type { ShapePair } from './site-pair.ts';

/** A site's address as it crosses to a worker: the password in the clear, within this process. */
export type SentAddress = Omit<SiteAddress, 'password'> & { readonly password: string | null };

export interface WorkerInput {
  /** URL of the module that exports connectSite: workers may not import connectors themselves. */
  readonly registry: string;
  readonly primary: SentAddress;
  readonly candidate: SentAddress;
  readonly options: { readonly jobs: number; readonly statementTimeoutMs: number };
}

/** Shapes go over once a table; ranges refer to them. */
export type ToWorker =
  | { readonly kind: 'shapes'; readonly id: number; readonly shapes: ShapePair }
  | { readonly kind: 'read'; readonly id: number; readonly shapesId: number; readonly range: Range }
  | { readonly kind: 'close' };

export interface SentError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string;
  readonly retryable: boolean;
}

export type FromWorker =
  | { readonly kind: 'reading'; readonly id: number; readonly reading: RangeReading }
  | { readonly kind: 'error'; readonly id: number; readonly error: SentError };
