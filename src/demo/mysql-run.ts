import { spawn } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import type { ServerUser } from './server-user.ts';

/** Environment of every server program: nothing of ours (MYSQL_HOME, TZ, …) may leak in but the way to the network. */
export function mysqlEnvironment(): NodeJS.ProcessEnv {
  const path = '/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin';
  const environment: NodeJS.ProcessEnv = {
    PATH: path,
    LC_ALL: 'C',
    TZ: 'UTC',
    DEBIAN_FRONTEND: 'noninteractive',
  };
  for (const name of ['http_proxy', 'https_proxy', 'no_proxy']) {
    if (process.env[name] !== undefined) environment[name] = process.env[name];
  }
  return environment;
}

/**
 * Runs a program to its end, the files of `input` one after the other on its standard input, and returns what it
 * printed (the last 64 KiB). @throws Error with the end of that when it fails.
 */
export async function run(
  program: string,
  args: readonly string[],
  user: ServerUser | null,
  input: readonly string[] = [],
): Promise<string> {
  const child = spawn(program, args, { ...user, cwd: '/', env: mysqlEnvironment(), stdio: 'pipe' });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output = (output + text).slice(-65_536)));
  }
  const ended = new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  const fed = pipeline(contents(input), child.stdin).catch((error: unknown) => {
    // A program that ends early closes its input; its exit code tells more than the broken pipe.
    if (!isBrokenPipe(error)) throw error;
  });
  await Promise.all([ended, fed]);
  const code = await ended;
  if (code === 0) return output;
  throw new Error(`${program} failed (${code}): ${output.trim().split('\n').slice(-12).join('\n')}`);
}

async function* contents(files: readonly string[]): AsyncGenerator<Buffer> {
  for (const file of files) {
    for await (const chunk of createReadStream(file)) yield chunk;
  }
}

function isBrokenPipe(error: unknown): boolean {
  return (
    error instanceof Error &&
    'code' in error &&
    (error.code === 'EPIPE' || error.code === 'ERR_STREAM_PREMATURE_CLOSE')
  );
}
