/** Parts of kafkajs that it does not declare: how a fetch is asked for, and what the brokers' error codes are called. */
declare module 'kafkajs/src/protocol/requests/fetch/index.js' {
  interface FetchWish {
    readonly isolationLevel: 0 | 1;
    readonly maxWaitTime: number;
    readonly minBytes: number;
    readonly maxBytes: number;
    readonly topics: readonly {
      readonly topic: string;
      readonly partitions: readonly {
        readonly partition: number;
        readonly fetchOffset: string;
        readonly maxBytes: number;
      }[];
    }[];
    readonly rackId: string;
  }
  interface FetchProtocol {
    readonly request: { readonly apiKey: number; encode(): Promise<{ readonly buffer: Buffer }> };
    readonly response: unknown;
    readonly requestTimeout: number;
  }
  const fetch: {
    protocol(of: { readonly version: number }): (wish: FetchWish) => FetchProtocol;
  };
  export default fetch;
}

declare module 'kafkajs/src/protocol/error.js' {
  const errors: { createErrorFromCode(code: number): Error };
  export default errors;
}
