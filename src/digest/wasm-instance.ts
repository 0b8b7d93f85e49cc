import { readFileSync } from 'node:fs';
import { messageOf, TwinproofError } from '../errors.ts';

const PAGE_BYTES = 65_536;

export interface WasmInstance<Exports> {
  readonly exports: Exports;
  readonly memory: Uint8Array;
}

/**
 * Compiles the module at `url` once; each call of the answer makes an instance of its own, with a memory of at least
 * `bytes` that never grows: growing would detach the views through which sockets write into it. A call throws
 * TP-INSTALL when the file is not there or is damaged.
 */
export function wasmInstances<Exports>(url: URL, name: string): (bytes: number) => WasmInstance<Exports> {
  let compiled: WebAssembly.Module | undefined;
  const abort = (): never => {
    throw new Error(`${name} aborted`);
  };
  return (bytes) => {
    compiled ??= compile(url, name);
    const pages = Math.ceil(bytes / PAGE_BYTES);
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    const instance = new WebAssembly.Instance<Exports>(compiled, { env: { memory, abort } });
    return { exports: instance.exports, memory: new Uint8Array(memory.buffer) };
  };
}

function compile(url: URL, name: string): WebAssembly.Module {
  try {
    return new WebAssembly.Module(readFileSync(url));
  } catch (cause) {
    const message = `${name} cannot be loaded: ${messageOf(cause)}`;
    throw new TwinproofError('TP-INSTALL', { message, cause });
  }
}
