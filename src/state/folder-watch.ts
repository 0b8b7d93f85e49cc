import { watch, type FSWatcher } from 'node:fs';
import { stat } from 'node:fs/promises';
import path from 'node:path';

/** Names that wait to be taken. Whoever asks also looks at the whole folder now and then: what is not kept is not lost. */
const NAMES_MAX = 4_096;

/**
 * Hears at once which files are put into a folder. It need not be there, and where the system tells nothing (a share of
 * another machine, no watches left) nothing is heard: this makes a look sooner and replaces none.
 */
export class FolderWatch {
  readonly #folder: string;
  readonly #suffix: string;
  readonly #names = new Set<string>();
  #watcher: FSWatcher | null = null;
  /** Of the folder that is listened to: another one may come under its name. */
  #inode: number | null = null;
  #wake: (() => void) | null = null;

  /** Of files whose names end so. */
  constructor(folder: string, suffix: string) {
    this.#folder = folder;
    this.#suffix = suffix;
  }

  /** Listens to the folder that is there now. Throws nothing. */
  async keep(): Promise<void> {
    const inode = await stat(this.#folder).then(
      ({ ino }) => ino,
      () => null,
    );
    if (inode !== null && inode === this.#inode) return;
    this.close();
    if (inode === null) return;
    try {
      const watcher = watch(this.#folder, { persistent: false }, (_event, name) => this.#hear(name));
      watcher.on('error', () => this.close());
      this.#watcher = watcher;
      this.#inode = inode;
    } catch {
      this.#watcher = null;
    }
  }

  /** Returns when a name waits to be taken, after `ms` at the latest, or when aborted. */
  async wait(ms: number, signal: AbortSignal): Promise<void> {
    if (this.#names.size > 0 || signal.aborted) return;
    await new Promise<void>((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', end);
        this.#wake = null;
        resolve();
      };
      const timer = setTimeout(end, ms);
      signal.addEventListener('abort', end);
      this.#wake = end;
    });
  }

  /** So many of the names at most, the first that came. */
  take(most: number): readonly string[] {
    const taken = [...this.#names].slice(0, most);
    for (const name of taken) this.#names.delete(name);
    return taken;
  }

  close(): void {
    this.#watcher?.close();
    this.#watcher = null;
    this.#inode = null;
  }

  #hear(name: string | null): void {
    // It was removed or moved away, and the number of what comes in its place may be the same.
    if (name === path.basename(this.#folder)) this.close();
    if (name === null || !name.endsWith(this.#suffix) || this.#names.size >= NAMES_MAX) return;
    this.#names.add(name);
    this.#wake?.();
  }
}
