import { Socket } from 'node:net';

/** Takes bytes straight from the operating system: `space` is filled, `taken` tells how far. */
export interface ByteTaker {
  space(): Uint8Array;
  taken(length: number): void;
}

const SCRATCH_BYTES = 65_536;

/**
 * A socket for a database driver whose reads can be turned to a ByteTaker, so that rows go from the kernel of the operating system
 * into WebAssembly memory without a buffer in between (Node.js manual, net.Socket, option `onread`). While no taker
 * is set it behaves like any other socket and emits `data`.
 */
export class TapSocket extends Socket {
  #taker: ByteTaker | null = null;

  constructor() {
    const scratch = new Uint8Array(SCRATCH_BYTES);
    const self: { socket: TapSocket | null } = { socket: null };
    // Named first: the type of the constructor's options does not know `onread`, which connect's options do.
    const options = {
      allowHalfOpen: false,
      onread: {
        buffer: () => self.socket?.nextBuffer(scratch) ?? scratch,
        callback: (length: number, buffer: Uint8Array) =>
          self.socket?.received(length, buffer, scratch) ?? true,
      },
    };
    super(options);
    self.socket = this;
  }

  set taker(taker: ByteTaker | null) {
    this.#taker = taker;
  }

  private nextBuffer(scratch: Uint8Array): Uint8Array {
    return this.#taker?.space() ?? scratch;
  }

  private received(length: number, buffer: Uint8Array, scratch: Uint8Array): boolean {
    const taker = this.#taker;
    if (taker === null) {
      this.emit('data', Buffer.from(buffer.subarray(0, length)));
      return true;
    }
    if (buffer === scratch) {
      // The buffer of this read was chosen before the taker was set.
      feed(taker, buffer.subarray(0, length));
    } else {
      taker.taken(length);
    }
    return true;
  }
}

/** Copies bytes into a taker, as much at a time as it has room for. */
export function feed(taker: ByteTaker, bytes: Uint8Array): void {
  let at = 0;
  while (at < bytes.length) {
    const space = taker.space();
    const size = Math.min(space.length, bytes.length - at);
    space.set(bytes.subarray(at, at + size));
    taker.taken(size);
    at += size;
  }
}
