import { readFileSync } from 'node:fs';

/** What the compiled transcoder (connectors/mysql/transcode) offers. Addresses are bytes in the instance's memory. */
export interface TranscodeExports {
  configure(plan: number, columns: number, inputCapacity: number, outStart: number, outEnd: number): void;
  getStatus(): number;
  getSequence(): number;
  setSequence(value: number): void;
  getOutput(): number;
  clearOutput(): void;
  transcode(at: number, end: number): number;
  beginLong(bitmap: number): void;
  continueLong(at: number, end: number): number;
}

export const TRANSCODE_STATUS = {
  needMore: 0,
  otherPacket: 1,
  outputFull: 2,
  longRow: 3,
  malformed: 4,
  rowEnd: 5,
} as const;

const PAGE_BYTES = 65_536;

/** Below this address the module's own static data lies. */
export const TRANSCODE_BASE_BYTES = 1024;

let compiled: WebAssembly.Module | undefined;

export interface TranscodeInstance {
  readonly exports: TranscodeExports;
  readonly memory: Uint8Array;
}

/** A new transcoder with its own memory of at least `bytes`, which never grows. */
export function instantiateTranscoder(bytes: number): TranscodeInstance {
  compiled ??= new WebAssembly.Module(readFileSync(new URL('./transcode.wasm', import.meta.url)));
  const pages = Math.ceil(bytes / PAGE_BYTES);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const instance = new WebAssembly.Instance<TranscodeExports>(compiled, { env: { memory, abort: failed } });
  return { exports: instance.exports, memory: new Uint8Array(memory.buffer) };
}

function failed(): never {
  throw new Error('the transcoder aborted');
}
