import { type WasmInstance, wasmInstances } from '../../src/digest/wasm-instance.ts';

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

/** Below this address the module's own static data lies. */
export const TRANSCODE_BASE_BYTES = 1024;

export type TranscodeInstance = WasmInstance<TranscodeExports>;

/** A new transcoder with its own memory of at least `bytes`, which never grows. */
export const instantiateTranscoder = wasmInstances<TranscodeExports>(
  new URL('./transcode.wasm', import.meta.url),
  'the transcoder',
);
