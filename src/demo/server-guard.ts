/** Something that must not outlive this process. */
export interface Guarded {
  /** Ends it at once and without waiting for the event loop. Never throws. */
  endNow(): void;
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const guarded = new Set<Guarded>();
let installed = false;

/** From now on `thing` is ended when this process exits or is told to. */
export function guard(thing: Guarded): void {
  guarded.add(thing);
  if (installed) return;
  installed = true;
  process.on('exit', endAll);
  for (const signal of SIGNALS) process.on(signal, onSignal);
}

/** Takes back `guard`. */
export function release(thing: Guarded): void {
  guarded.delete(thing);
}

function endAll(): void {
  // The latest first: a server ends before its folder is removed.
  for (const thing of [...guarded].toReversed()) thing.endNow();
  guarded.clear();
}

/** Whoever else listens to the signal decides when to exit, and `exit` then ends the servers. */
function onSignal(signal: NodeJS.Signals): void {
  if (process.listenerCount(signal) > 1) return;
  endAll();
  process.off(signal, onSignal);
  process.kill(process.pid, signal);
}
