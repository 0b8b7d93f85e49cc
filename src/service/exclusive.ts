/** Runs actions one after the other, in the order in which they were asked for. */
export class Exclusive {
  #last: Promise<unknown> = Promise.resolve();

  run<T>(action: () => Promise<T> | T): Promise<T> {
    const result = this.#last.then(action);
    // Whoever asked is told of a failure; the next one is not.
    this.#last = result.catch(() => undefined);
    return result;
  }
}
