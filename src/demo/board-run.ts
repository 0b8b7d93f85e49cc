import { TwinproofError } from '../errors.ts';
import { waitUntil } from './cluster-wait.ts';
import type { CommandResult, DemoIo } from './demo-io.ts';

const LIMIT_MS = 60_000;
const WIDTH = 100;

/** `board`, running beside the demo. */
export class BoardRun {
  readonly #stop = new AbortController();
  readonly #ended: Promise<CommandResult>;
  #told = '';
  #failure: unknown = null;

  constructor(io: DemoIo, config: string) {
    const signal = AbortSignal.any([io.signal, this.#stop.signal]);
    // Any port that is free: another board may be at work here.
    const args = ['board', '--port', '0', '--config', config];
    this.#ended = io.run(args, WIDTH, { signal, stderr: (text) => (this.#told += text) });
    this.#ended.catch((error: unknown) => (this.#failure = error));
  }

  /** Its address, once it listens. Throws what it threw. */
  async url(): Promise<string> {
    let url: string | undefined;
    const listens = (): Promise<boolean> => {
      if (this.#failure !== null) throw this.#failure;
      url = /board at (\S+)/.exec(this.#told)?.[1];
      return Promise.resolve(url !== undefined);
    };
    await waitUntil(listens, LIMIT_MS, () => 'the board does not listen');
    return url ?? '';
  }

  /** Ends it; the answer is its exit code. */
  async stop(): Promise<number> {
    this.#stop.abort(new TwinproofError('TP-INTERRUPTED'));
    return (await this.#ended).exitCode;
  }
}
