import { spawn } from 'node:child_process';

/**
 * Checks a certificate with nothing of ours: a shell, sed and openssl (3.0 or later). $CERT is the certificate, $KEY
 * the public key, $SIGNATURE the number of the signature; the working directory takes the parts.
 */
export const OPENSSL_RECIPE = String.raw`
set -eu
sed -n 's/.*"payload": *"\([^"]*\)".*/\1/p' "$CERT" | openssl base64 -d -A > payload.json
type=$(sed -n 's/.*"payloadType": *"\([^"]*\)".*/\1/p' "$CERT")
{ printf 'DSSEv1 %d %s %d ' ${'${#type}'} "$type" "$(wc -c < payload.json)"; cat payload.json; } > signed.bin
sed -n 's/.*"sig": *"\([^"]*\)".*/\1/p' "$CERT" | sed -n "$SIGNATURE"p | openssl base64 -d -A > signature.bin
openssl pkeyutl -verify -pubin -inkey "$KEY" -rawin -in signed.bin -sigfile signature.bin
`;

/** The line of the recipe that decides, as it is shown. */
export const OPENSSL_LINE = ['openssl', 'pkeyutl', '-verify', '-pubin', '-inkey', 'twinproof.key.pub'];

/** Version of the openssl on the PATH, or why it cannot do this. */
export async function opensslVersion(): Promise<{ readonly version: string } | { readonly why: string }> {
  const { code, output } = await run('openssl', ['version'], {});
  if (code !== 0) return { why: 'there is no openssl on the PATH' };
  const [version = ''] = output.trim().split(' (');
  const major = /^OpenSSL (\d+)\./.exec(version)?.[1];
  if (major !== undefined && Number(major) >= 3) return { version };
  return { why: `${version} cannot verify Ed25519 from the command line; OpenSSL 3 can` };
}

/** Whether the first signature is good, and what openssl said. */
export async function opensslVerify(
  folder: string,
  certificate: string,
  publicKey: string,
): Promise<{ readonly good: boolean; readonly said: string }> {
  const { code, output } = await run('/bin/sh', ['-c', OPENSSL_RECIPE], {
    cwd: folder,
    env: { PATH: process.env['PATH'] ?? '', CERT: certificate, KEY: publicKey, SIGNATURE: '1' },
  });
  return { good: code === 0, said: output.trim().split('\n')[0] ?? '' };
}

function run(
  program: string,
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv },
): Promise<{ readonly code: number | null; readonly output: string }> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => (output += text));
    }
    child.on('error', () => resolve({ code: null, output: '' }));
    child.on('close', (code) => resolve({ code, output }));
  });
}
