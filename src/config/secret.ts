import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { inspect } from 'node:util';
import { TwinproofError } from '../errors.ts';

const SECRET_FILE_BYTES_MAX = 64 * 1024;
const HIDDEN = '[secret]';

/** A value that does not print itself: not in a template, not in JSON, not in a log, not in the debugger's inspect. */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** The value, for the driver that logs in with it and for nothing else. */
  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return HIDDEN;
  }

  toJSON(): string {
    return HIDDEN;
  }

  [inspect.custom](): string {
    return HIDDEN;
  }
}

/**
 * The content of a secret file without its trailing newline. The file must be its owner's alone: what group or others
 * may read is no secret.
 *
 * @throws TwinproofError TP-SECRET, naming the path and never the content.
 */
export function readSecretFile(path: string): string {
  let descriptor: number | null = null;
  try {
    descriptor = openSync(path, 'r');
    // Judged on the open file: between a check by path and the read another file could take its place.
    const facts = fstatSync(descriptor);
    if (!facts.isFile()) throw refusal(path, 'is not a regular file');
    if (process.platform !== 'win32' && (facts.mode & 0o077) !== 0) {
      throw refusal(path, 'can be read or written by group or others', `chmod 600 ${path}`);
    }
    return withoutTrailingNewline(decode(path, readAtMost(descriptor, SECRET_FILE_BYTES_MAX + 1)));
  } catch (error) {
    if (error instanceof TwinproofError) throw error;
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    throw refusal(path, `cannot be read (${code})`);
  } finally {
    if (descriptor !== null) closeSync(descriptor);
  }
}

function readAtMost(descriptor: number, limit: number): Buffer {
  const buffer = Buffer.alloc(limit);
  let filled = 0;
  while (filled < limit) {
    const count = readSync(descriptor, buffer, filled, limit - filled, null);
    if (count === 0) break;
    filled += count;
  }
  return buffer.subarray(0, filled);
}

function decode(path: string, bytes: Buffer): string {
  if (bytes.length > SECRET_FILE_BYTES_MAX) throw refusal(path, 'is larger than 64 KiB');
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw refusal(path, 'is not UTF-8 text');
  }
}

function withoutTrailingNewline(text: string): string {
  const trimmed = text.endsWith('\n') ? text.slice(0, -1) : text;
  return trimmed.endsWith('\r') ? trimmed.slice(0, -1) : trimmed;
}

function refusal(path: string, problem: string, hint?: string): TwinproofError {
  return new TwinproofError('TP-SECRET', {
    message: `the secret file ${path} ${problem}`,
    ...(hint === undefined ? {} : { hint }),
  });
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** `${NAME}` stands for a variable; `$${NAME}` for the text itself. */
const REFERENCE = /\$(\$)?\{([^{}]*)\}/g;

export function hasReference(text: string): boolean {
  for (const match of text.matchAll(REFERENCE)) if (match[1] === undefined) return true;
  return false;
}

/**
 * `text` with every `${NAME}` replaced from the environment. An empty variable counts as missing: an unset secret in a
 * deployment often arrives as the empty string, and would otherwise become an empty password.
 *
 * @param write How a value enters the text; `offset` is where the reference stood.
 * @throws TwinproofError TP-SECRET, naming the variable and never a value.
 */
export function withVariables(
  text: string,
  environment: Environment,
  write: (value: string, offset: number) => string = (value) => value,
): string {
  return text.replace(
    REFERENCE,
    (whole: string, escape: string | undefined, name: string, offset: number) => {
      if (escape !== undefined) return whole.slice(1);
      if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
        throw new TwinproofError('TP-SECRET', {
          message: `\${${name}} does not name an environment variable`,
          hint: 'a name is letters, digits and underscores; write $${…} for the text itself',
        });
      }
      const value = environment[name];
      if (value === undefined || value === '') {
        throw new TwinproofError('TP-SECRET', {
          message: `the environment variable ${name} is ${value === undefined ? 'not set' : 'empty'}`,
          hint: `set ${name} in the environment of this command`,
        });
      }
      return write(value, offset);
    },
  );
}
