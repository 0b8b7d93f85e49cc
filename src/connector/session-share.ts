/** Work shared out among sessions to one server: each job runs on the first that is free, in the order of their coming. */
export class SessionShare<Session> {
  readonly #free: Session[];
  readonly #waiting: ((session: Session) => Promise<void>)[] = [];

  constructor(sessions: readonly Session[]) {
    this.#free = [...sessions];
  }

  /** Throws what the job throws. */
  run<T>(job: (session: Session) => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push((session) => job(session).then(resolve, reject));
      this.#start();
    });
  }

  /** What each gives, in their order. Throws the error of the first that failed, once all have ended. */
  runAll<T>(jobs: readonly ((session: Session) => Promise<T>)[]): Promise<Awaited<T>[]> {
    return ended(jobs.map((job) => this.run(job)));
  }

  #start(): void {
    if (this.#waiting.length === 0) return;
    const session = this.#free.shift();
    if (session === undefined) return;
    const job = this.#waiting.shift();
    void job?.(session).finally(() => {
      this.#free.push(session);
      this.#start();
    });
  }
}

/** As Promise.all, but when it throws all the others have ended too: nobody is at work on a session any more. */
export async function ended<T extends readonly unknown[] | []>(
  work: T,
): Promise<{ -readonly [Part in keyof T]: Awaited<T[Part]> }> {
  await Promise.allSettled(work);
  return await Promise.all(work);
}
