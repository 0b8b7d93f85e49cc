import { CODES, type ErrorCode } from './error-codes.ts';

/** What an error carries beside its code. `message` is lowercase, one line, and never holds a secret. */
export interface ErrorDetail {
  readonly message?: string;
  readonly hint?: string;
  readonly retryable?: boolean;
  readonly cause?: unknown;
}

/**
 * Every error that a user may see. The code is stable and listed in error-codes.ts, which is the manual: it gives the
 * default message, the hint and the exit code.
 */
export class TwinproofError extends Error {
  readonly code: ErrorCode;
  readonly hint: string;
  readonly retryable: boolean;

  constructor(code: ErrorCode, detail: ErrorDetail = {}) {
    const entry = CODES[code];
    super(detail.message ?? entry.message, detail.cause === undefined ? {} : { cause: detail.cause });
    this.name = 'TwinproofError';
    this.code = code;
    this.hint = detail.hint ?? entry.hint;
    this.retryable = detail.retryable ?? false;
  }

  get exitCode(): number {
    return CODES[this.code].exitCode;
  }
}

/** The message of anything thrown, on one line. */
export function messageOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/\s*\n\s*/g, ' ').trim();
}
