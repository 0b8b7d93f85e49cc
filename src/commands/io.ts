/** What a command touches beside the files and servers it is told of; injected, so that tests hold the clock. */
export interface CommandIo {
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
  readonly now: () => Date;
  readonly randomBytes: (size: number) => Uint8Array;
}
