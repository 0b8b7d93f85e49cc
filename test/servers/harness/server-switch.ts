import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** An address behind which now one server stands and now another, as behind a virtual IP. */
export class ServerSwitch {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #target: number;

  private constructor(target: number) {
    this.#target = target;
    this.#server = createServer((client) => {
      const server = connect(this.#target, '127.0.0.1');
      for (const [from, to] of [
        [client, server],
        [server, client],
      ] as const) {
        this.#sockets.add(from);
        from.on('error', () => to.destroy()).on('close', () => this.#sockets.delete(from));
        from.pipe(to);
      }
    });
  }

  static async to(port: number): Promise<ServerSwitch> {
    const relay = new ServerSwitch(port);
    relay.#server.listen(0, '127.0.0.1');
    await once(relay.#server, 'listening');
    return relay;
  }

  get port(): number {
    const address = this.#server.address();
    return address === null || typeof address === 'string' ? 0 : address.port;
  }

  /** From now on it leads to another server; what is open is cut. */
  lead(port: number): void {
    this.#target = port;
    for (const socket of this.#sockets) socket.destroy();
  }

  /** What is connected now gets nothing any more until `goOn`, and stays connected. */
  stall(): void {
    for (const socket of this.#sockets) socket.pause();
  }

  goOn(): void {
    for (const socket of this.#sockets) socket.resume();
  }

  async close(): Promise<void> {
    this.lead(this.#target);
    this.#server.close();
    await once(this.#server, 'close');
  }
}
