/** Bytes that are no JSON, or another JSON than is wanted. Says where, and never what stands there. */
export class JsonError extends Error {
  constructor(problem: string, at: number) {
    super(`${problem} at byte ${at}`);
    this.name = 'JsonError';
  }
}
