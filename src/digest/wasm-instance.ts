import { readFileSync } from 'node:fs';

const PAGE_BYTES = 65_536;

export interface WasmInstance<Exports> {
  readonly exports: Exports;
  readonly memory: Uint8Array;
}

/**
 * Compiles the module at `url` once; each call of the answer makes an instance of its own, with a memory of at least
 * `bytes` that never grows: growing would detach the views through which sockets write into it.
 */
export function wasmInstances<Exports>(url: URL, name: string): (bytes: number) => WasmInstance<Exports> {
  let compiled: WebAssembly.Module | undefined;
  const abort = (): never => {
    throw new Error(`${name} aborted`);
  };
  return (bytes) => {
    compiled ??= new WebAssembly.Module(readFileSync(url));
    const pages = Math.ceil(bytes / PAGE_BYTES);
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    const instance = new WebAssembly.Instance<Exports>(compiled, { env: { memory, abort } });
    return { exports: instance.exports, memory: new Uint8Array(memory.buffer) };
  };
}
