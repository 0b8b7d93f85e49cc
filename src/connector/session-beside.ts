import { TwinproofError } from '../errors.ts';

/** How a session more is had, and how it is told whether it ends in the same server. */
export interface BesideParts<Session> {
  readonly open: () => Promise<Session>;
  /** Identity.instance of the server behind a session. */
  readonly instanceOf: (session: Session) => Promise<string>;
}

/**
 * One session more to the server of `ours`; null where that has none to give, or another server answers. What was opened
 * and is not handed out is closed, however this ends: a session that is forgotten keeps the process alive. Throws the
 * error when aborted, and what is no TwinproofError.
 */
export async function sessionBeside<Session extends { close(): Promise<void> }>(
  ours: Session,
  { open, instanceOf }: BesideParts<Session>,
  signal: AbortSignal,
): Promise<Session | null> {
  let beside: Session | null = null;
  try {
    beside = await open();
    const [one, other] = await Promise.all([instanceOf(ours), instanceOf(beside)]);
    if (one === other) return beside;
    await beside.close();
    return null;
  } catch (error) {
    await beside?.close();
    if (signal.aborted || !(error instanceof TwinproofError)) throw error;
    return null;
  }
}
