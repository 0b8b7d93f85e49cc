import { Joiner } from './joiner.ts';
import { KernelSink } from './kernel-sink.ts';

/** Sinks and joiners are kept: each owns WebAssembly memory, which the garbage collector returns late. */
export class SinkPool {
  readonly #idle = new Map<number, KernelSink[]>();
  readonly #joiners: Joiner[] = [];

  /** A sink with so many buckets (0: none), for the time of `work`. */
  async with<T>(bucketCount: number, work: (sink: KernelSink) => Promise<T>): Promise<T> {
    const sink = this.acquire(bucketCount);
    try {
      return await work(sink);
    } finally {
      this.release(bucketCount, sink);
    }
  }

  acquire(bucketCount: number): KernelSink {
    return this.#idle.get(bucketCount)?.pop() ?? new KernelSink(bucketCount);
  }

  release(bucketCount: number, sink: KernelSink): void {
    const idle = this.#idle.get(bucketCount) ?? [];
    idle.push(sink);
    this.#idle.set(bucketCount, idle);
  }

  /**
   * An empty joiner of so many bytes, always the same number within one pool, for the time of `work`. `rows`: as of
   * Joiner.reset; memory that is not needed for them is not touched.
   */
  async withJoiner<T>(bytesMax: number, work: (joiner: Joiner) => Promise<T>, rows = Infinity): Promise<T> {
    const joiner = this.#joiners.pop() ?? new Joiner(bytesMax);
    try {
      joiner.reset(rows);
      return await work(joiner);
    } finally {
      this.#joiners.push(joiner);
    }
  }
}
