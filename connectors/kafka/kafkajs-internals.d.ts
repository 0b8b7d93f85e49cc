/**
 * Parts of kafkajs that it does not declare: how a fetch and the metadata are asked for, and what the brokers' error
 * codes are called.
 */
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

declare module 'kafkajs/src/protocol/requests/metadata/index.js' {
  interface MetadataAnswer {
    readonly clusterId: string | null;
    readonly brokers: readonly { readonly nodeId: number; readonly host: string; readonly port: number }[];
    readonly topicMetadata: readonly {
      readonly topicErrorCode: number;
      readonly topic: string;
      readonly partitionMetadata: readonly {
        readonly partitionErrorCode: number;
        readonly partitionId: number;
        readonly leader: number;
      }[];
    }[];
  }
  interface MetadataProtocol {
    readonly request: { readonly apiKey: number; encode(): Promise<{ readonly buffer: Buffer }> };
    readonly response: { decode(payload: Buffer): Promise<MetadataAnswer> };
  }
  const metadata: {
    protocol(of: { readonly version: number }): (wish: {
      /** Empty: all. */
      readonly topics: readonly string[];
      readonly allowAutoTopicCreation: boolean;
    }) => MetadataProtocol;
  };
  export default metadata;
}
