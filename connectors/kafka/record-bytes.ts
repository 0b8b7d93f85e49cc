/** A record within the batch that holds it: places of key and value in `bytes`; a beginning of −1: null. */
export interface RecordBytes {
  readonly bytes: Uint8Array;
  readonly keyFrom: number;
  readonly keyTo: number;
  readonly valueFrom: number;
  readonly valueTo: number;
}

/** Null: the record has none. */
export function keyOf({ bytes, keyFrom, keyTo }: RecordBytes): Uint8Array | null {
  return keyFrom < 0 ? null : bytes.subarray(keyFrom, keyTo);
}

/** Null: the record has none. */
export function valueOf({ bytes, valueFrom, valueTo }: RecordBytes): Uint8Array | null {
  return valueFrom < 0 ? null : bytes.subarray(valueFrom, valueTo);
}

/** 0: the record has no value, or an empty one. */
export function valueSizeOf({ valueFrom, valueTo }: RecordBytes): number {
  return valueFrom < 0 ? 0 : valueTo - valueFrom;
}
