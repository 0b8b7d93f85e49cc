/** The part of the WebAssembly API that is used: it is a global of Node.js, which @types/node 20 does not declare. */
declare namespace WebAssembly {
  interface Module {
    readonly module: unique symbol;
  }
  interface Memory {
    readonly buffer: ArrayBuffer;
  }
  interface Instance<Exports> {
    readonly exports: Exports;
  }
  const Module: new (bytes: Uint8Array) => Module;
  const Memory: new (limits: { initial: number; maximum: number }) => Memory;
  const Instance: new <Exports>(
    module: Module,
    imports: Record<string, Record<string, unknown>>,
  ) => Instance<Exports>;
}
