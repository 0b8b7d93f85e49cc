import { readFileSync } from 'node:fs';

/** A process and all that it has started, the eldest first: none can start another once its parent stands still. */
function familyOf(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return [pid, ...(children === '' ? [] : children.split(' ').map(Number)).flatMap(familyOf)];
}

/**
 * Stops a server where it stands, as a host that is suspended or out of memory does: it accepts connections, and answers
 * nothing. The answer lets it go on; called again it does nothing.
 */
export function freeze(pid: number | null): () => void {
  if (pid === null) throw new Error('it does not run');
  process.kill(pid, 'SIGSTOP');
  let family = familyOf(pid);
  for (const one of family) process.kill(one, 'SIGSTOP');
  return () => {
    for (const one of family.toReversed()) process.kill(one, 'SIGCONT');
    family = [];
  };
}
