import { spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { addSignature, writeEnvelope } from '../../src/certificate/envelope.ts';
import { parseEnvelope } from '../../src/certificate/envelope-parse.ts';
import { fingerprintOf } from '../../src/certificate/key.ts';
import { ALICE_PUB, BOB, BOB_PUB, CERTIFICATE, directory, STATEMENT } from './certificate-fixture.ts';

/** The recipe of the README: a shell, sed, base64 and openssl, and nothing of ours. SIGNATURE is 1 for the first. */
const RECIPE = String.raw`
set -eu
sed -n 's/.*"payload": *"\([^"]*\)".*/\1/p' cert.json | base64 -d > payload.json
type=$(sed -n 's/.*"payloadType": *"\([^"]*\)".*/\1/p' cert.json)
{ printf 'DSSEv1 %d %s %d ' ${'${#type}'} "$type" "$(wc -c < payload.json)"; cat payload.json; } > pae.bin
sed -n 's/.*"sig": *"\([^"]*\)".*/\1/p' cert.json | sed -n "$SIGNATURE"p | base64 -d > sig.bin
openssl pkeyutl -verify -pubin -inkey key.pub -rawin -in pae.bin -sigfile sig.bin
`;

const absent = spawnSync('openssl', ['version']).status !== 0;

function shell(cwd: string, script: string, signature = '1'): { status: number | null; stdout: string } {
  const env = { ...process.env, SIGNATURE: signature };
  const { status, stdout } = spawnSync('sh', ['-c', script], { cwd, env, encoding: 'utf8' });
  return { status, stdout };
}

async function workspace(certificate: string, key: typeof ALICE_PUB): Promise<string> {
  const path = await directory();
  await writeFile(join(path, 'cert.json'), certificate);
  await writeFile(join(path, 'key.pub'), key.export({ type: 'spki', format: 'pem' }));
  return path;
}

// A machine without openssl may leave these out; a build that is to be trusted may not.
describe.skipIf(absent && process.env['CI'] === undefined)('stock openssl', () => {
  it('verifies a certificate, and shows what was signed', async () => {
    const path = await workspace(CERTIFICATE, ALICE_PUB);
    const { status, stdout } = shell(path, RECIPE);
    expect([status, stdout]).toEqual([0, expect.stringContaining('Verified Successfully')]);
    expect(JSON.parse(shell(path, 'cat payload.json').stdout)).toEqual(STATEMENT);
  });

  it('verifies the second signature of two', async () => {
    const two = writeEnvelope(addSignature(parseEnvelope(CERTIFICATE), BOB));
    const path = await workspace(two, BOB_PUB);
    expect(shell(path, RECIPE, '1').status).not.toBe(0);
    expect(shell(path, RECIPE, '2').status).toBe(0);
  });

  it('refuses an altered payload and another’s key', async () => {
    const envelope = parseEnvelope(CERTIFICATE);
    const payload = Buffer.from(envelope.payload.toString().replace('"SAFE"', '"safe"'));
    expect(payload.equals(envelope.payload)).toBe(false);
    expect(
      shell(await workspace(writeEnvelope({ ...envelope, payload }), ALICE_PUB), RECIPE).status,
    ).not.toBe(0);
    expect(shell(await workspace(CERTIFICATE, BOB_PUB), RECIPE).status).not.toBe(0);
  });

  it('gives the same fingerprint of a key', async () => {
    const path = await workspace(CERTIFICATE, ALICE_PUB);
    const { stdout } = shell(path, 'openssl pkey -pubin -in key.pub -outform DER | sha256sum');
    expect(`sha256:${stdout.split(' ')[0]}`).toBe(fingerprintOf(ALICE_PUB));
  });
});
