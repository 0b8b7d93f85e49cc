import { type WasmInstance, wasmInstances } from '../../src/digest/wasm-instance.ts';

/** What the compiled module (connectors/kafka/scan) offers. Addresses are bytes in the instance's memory. */
export interface ScanExports {
  configure(before: number): void;
  crc32c(sum: number, from: number, to: number): number;
  /** Not 0: what the record says stands at the places below. */
  scan(keyFrom: number, keyTo: number, valueFrom: number, valueTo: number): number;
}

/** Numbers of 32 bits, by place in the memory seen as such; `ABSENT` in place of a number of members. */
export const HEAD = {
  operation: 4352,
  tied: 4356,
  changedInSource: 4358,
  same: 4359,
} as const;
export const ABSENT = -1;

/**
 * Objects that are walked over: where their numbers of members stand, where these begin, and the bit of `HEAD.same`.
 */
export const SCANNED = {
  key: { count: 4353, members: 4528, same: 2 },
  before: { count: 4354, members: 9648, same: 4 },
  after: { count: 4355, members: 14_768, same: 8 },
  source: { count: 4357, members: 4368, same: 1 },
} as const;

/** A member is so many numbers: where its name begins and ends, where its value does, and its kind. */
export const MEMBER = { numbers: 5, nameFrom: 0, nameTo: 1, from: 2, to: 3, kind: 4 } as const;

/** Where that begins which is looked at: behind the areas of scan.ts. */
export const WINDOW_AT = 284_352;
/** Behind what is looked at so many bytes must be there. */
const READ_BEHIND = 8;

export type ScanInstance = WasmInstance<ScanExports>;

const instantiate = wasmInstances<ScanExports>(
  new URL('./scan.wasm', import.meta.url),
  'the walk over records',
);

/**
 * A new one that looks at up to `windowBytes` at once; `before`: also at rows before their changes. Throws TP-INSTALL.
 */
export function newScan(windowBytes: number, before: boolean): ScanInstance {
  const made = instantiate(WINDOW_AT + windowBytes + READ_BEHIND);
  made.exports.configure(before ? 1 : 0);
  return made;
}
