/** What the streams of one log remember for those that come after them. */
export class LogMemory {
  /** Places of transactions that a crash cut off: their rows never were committed. */
  readonly torn = new Set<string>();
}

const memories = new Map<string, LogMemory>();

/** Of the log that goes by this name; the same for as long as this process lives, over every connection. */
export function memoryOf(log: string): LogMemory {
  const known = memories.get(log) ?? new LogMemory();
  memories.set(log, known);
  return known;
}
