/** A message that is told to whoever listens. */
export interface OutletMessage {
  /** Messages of one key stay in order. */
  readonly key: string;
  /** JSON. */
  readonly value: string;
}

/** Where messages go that others listen to. */
export interface Outlet {
  /** Resolves when the messages are stored, in their order and once. Throws TP-UNREACHABLE and the like. */
  send(messages: readonly OutletMessage[]): Promise<void>;
  close(): Promise<void>;
}
