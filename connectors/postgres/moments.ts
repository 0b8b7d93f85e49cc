/** Does `work` as soon as the snapshot of a read stands, and gives both outcomes. Throws what either throws. */
export async function during<T, U>(
  read: (onSnapshot: (snapshot: string) => void) => Promise<T>,
  work: (snapshot: string) => Promise<U>,
): Promise<readonly [U, T]> {
  let working: Promise<U> | null = null;
  const reading = read((snapshot) => {
    working = work(snapshot);
    // Awaited below; a failure before that must not count as one that nobody handles.
    working.catch(() => undefined);
  });
  const rows = await reading;
  return [await (working ?? work('')), rows];
}

/** Both, one after the other. */
export function combined(
  first: (snapshot: string) => void,
  second: (() => void) | undefined,
): (snapshot: string) => void {
  return (snapshot) => {
    first(snapshot);
    second?.();
  };
}
