import { randomBytes } from 'node:crypto';
import { connectSite } from '../../../connectors/registry.ts';
import type { SiteIo } from '../../../src/commands/io.ts';
import { TwinproofError } from '../../../src/errors.ts';

/** A command that runs in this process, for as long as it likes. */
export class Command {
  stdout = '';
  stderr = '';
  readonly ended: Promise<number>;
  readonly #stop = new AbortController();

  constructor(run: (io: SiteIo) => Promise<number>, environment: SiteIo['environment'] = {}) {
    this.ended = run({
      stdout: (text) => void (this.stdout += text),
      stderr: (text) => void (this.stderr += text),
      now: () => new Date(),
      randomBytes,
      connect: connectSite,
      registry: new URL('../../../connectors/registry.ts', import.meta.url).href,
      environment,
      progress: process.stderr,
      screen: { width: 100, colour: false, unicode: true },
      signal: this.#stop.signal,
    });
    // Whoever waits for the end gets it; before that it is no fault that nobody does.
    this.ended.catch(() => undefined);
  }

  /** As Ctrl-C. */
  async stop(): Promise<void> {
    this.#stop.abort(new TwinproofError('TP-INTERRUPTED'));
    await this.ended.catch(() => undefined);
  }
}
