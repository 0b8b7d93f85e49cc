import { spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { addSignature, writeEnvelope } from '../../src/certificate/envelope.ts';
import { parseEnvelope } from '../../src/certificate/envelope-parse.ts';
import { fingerprintOf } from '../../src/certificate/key.ts';
import { OPENSSL_RECIPE } from '../../src/demo/openssl-check.ts';
import { ALICE_PUB, BOB, BOB_PUB, CERTIFICATE, directory, STATEMENT } from './certificate-fixture.ts';

const absent = spawnSync('openssl', ['version']).status !== 0;

function shell(cwd: string, script: string, signature = '1'): { status: number | null; stdout: string } {
  const env = { ...process.env, CERT: 'cert.json', KEY: 'key.pub', SIGNATURE: signature };
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
    const { status, stdout } = shell(path, OPENSSL_RECIPE);
    expect([status, stdout]).toEqual([0, expect.stringContaining('Verified Successfully')]);
    expect(JSON.parse(shell(path, 'cat payload.json').stdout)).toEqual(STATEMENT);
  });

  it('verifies the second signature of two', async () => {
    const two = writeEnvelope(addSignature(parseEnvelope(CERTIFICATE), BOB));
    const path = await workspace(two, BOB_PUB);
    expect(shell(path, OPENSSL_RECIPE, '1').status).not.toBe(0);
    expect(shell(path, OPENSSL_RECIPE, '2').status).toBe(0);
  });

  it('refuses an altered payload and another’s key', async () => {
    const envelope = parseEnvelope(CERTIFICATE);
    const payload = Buffer.from(envelope.payload.toString().replace('"SAFE"', '"safe"'));
    expect(payload.equals(envelope.payload)).toBe(false);
    expect(
      shell(await workspace(writeEnvelope({ ...envelope, payload }), ALICE_PUB), OPENSSL_RECIPE).status,
    ).not.toBe(0);
    expect(shell(await workspace(CERTIFICATE, BOB_PUB), OPENSSL_RECIPE).status).not.toBe(0);
  });

  it('gives the same fingerprint of a key', async () => {
    const path = await workspace(CERTIFICATE, ALICE_PUB);
    const { stdout } = shell(path, 'openssl pkey -pubin -in key.pub -outform DER | sha256sum');
    expect(`sha256:${stdout.split(' ')[0]}`).toBe(fingerprintOf(ALICE_PUB));
  });
});
