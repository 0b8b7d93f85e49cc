import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { addSignature, writeEnvelope } from '../../src/certificate/envelope.ts';
import { parseEnvelope } from '../../src/certificate/envelope-parse.ts';
import { issueCertificate } from '../../src/certificate/issue.ts';
import { fingerprintOf } from '../../src/certificate/key.ts';
import { buildStatement, sha256 } from '../../src/certificate/statement.ts';
import { runCertificateCheck, type CertificateCheckOptions } from '../../src/commands/certificate-check.ts';
import {
  ALICE,
  ALICE_PUB,
  BOB,
  BOB_PUB,
  CERTIFICATE,
  directory,
  INPUT,
  recorder,
  STATEMENT,
} from './certificate-fixture.ts';
import { STANDBY_IDENTITY } from './readiness-fixture.ts';
import { NOW } from './verdict-fixture.ts';

const PUBLIC = { type: 'spki', format: 'pem' } as const;

async function keyFiles(path: string): Promise<{ alice: string; bob: string }> {
  const [alice, bob] = [join(path, 'alice.pub'), join(path, 'bob.pub')];
  await writeFile(alice, ALICE_PUB.export(PUBLIC));
  await writeFile(bob, BOB_PUB.export(PUBLIC));
  return { alice, bob };
}

async function run(
  text: string,
  now = NOW,
  changed: Partial<CertificateCheckOptions> = {},
): Promise<{ code: number; printed: string }> {
  const path = await directory();
  const file = join(path, 'certificate.json');
  await writeFile(file, text);
  const { alice } = await keyFiles(path);
  const options = {
    file,
    keys: [alice],
    threshold: null,
    format: 'text',
    width: 80,
    colour: false,
  } as const;
  const io = recorder(now);
  const code = await runCertificateCheck({ ...options, ...changed }, io);
  return { code, printed: io.printed.join('') };
}

describe('certificate check', () => {
  it('0: authentic and in force, with the verdict it carries', async () => {
    const { code, printed } = await run(CERTIFICATE);
    expect(code).toBe(0);
    expect(printed).toMatch(/^✔ authentic and in force/);
    expect(printed).toContain('✔ SAFE  the candidate can be promoted');
    expect(printed).toContain(fingerprintOf(ALICE_PUB));
  });

  it('3: authentic but expired', async () => {
    const { code, printed } = await run(CERTIFICATE, new Date(NOW.getTime() + 600_000));
    expect(code).toBe(3);
    expect(printed).toMatch(/^\? authentic, but NOT IN FORCE/);
    expect(printed).toContain('it expired at');
  });

  it('2: not authentic, and nothing of what it says is repeated', async () => {
    const { code, printed } = await run(issueCertificate(STATEMENT, BOB));
    expect(code).toBe(2);
    expect(printed).toMatch(/^✖ NOT AUTHENTIC/);
    expect(printed).not.toContain('SAFE');
  });

  it('all given keys must have signed unless a threshold says otherwise', async () => {
    const { alice, bob } = await keyFiles(await directory());
    expect((await run(CERTIFICATE, NOW, { keys: [alice, bob] })).code).toBe(2);
    expect((await run(CERTIFICATE, NOW, { keys: [alice, bob], threshold: 1 })).code).toBe(0);
    const two = writeEnvelope(addSignature(parseEnvelope(CERTIFICATE), BOB));
    expect((await run(two, NOW, { keys: [alice, bob] })).code).toBe(0);
    expect((await run(CERTIFICATE, NOW, { keys: [alice, alice] })).code).toBe(0);
  });

  it('prints one JSON object', async () => {
    const { printed } = await run(CERTIFICATE, NOW, { format: 'json' });
    expect(JSON.parse(printed)).toMatchObject({
      schema: 'twinproof.certificate-check/v1',
      authentic: true,
      current: true,
      signers: [fingerprintOf(ALICE_PUB)],
      problems: [],
      statement: STATEMENT,
    });
  });

  it('a certificate without sites and with a predecessor is printed too', async () => {
    const site = { identity: null, position: null, clockSkewMs: null };
    const address = { ...INPUT.candidate, position: null, identity: { ...STANDBY_IDENTITY, address: null } };
    const statement = buildStatement({ ...INPUT, primary: site, candidate: address, previous: sha256('x') });
    const { code, printed } = await run(issueCertificate(statement, ALICE));
    expect(code).toBe(0);
    expect(printed).toContain('primary    unknown');
    expect(printed.replace(/\s+/g, ' ')).toContain('at an unknown address, position unknown');
    expect(printed).toContain(`previous   sha256:${sha256('x')}`);
  });

  it('64: a file that cannot be read', async () => {
    await expect(run('rubbish')).rejects.toMatchObject({ code: 'TP-CERTIFICATE', exitCode: 64 });
    const file = join(await directory(), 'none');
    await expect(run(CERTIFICATE, NOW, { file })).rejects.toMatchObject({ code: 'TP-CERTIFICATE' });
    await expect(run(CERTIFICATE, NOW, { keys: [file] })).rejects.toMatchObject({
      code: 'TP-KEY',
      exitCode: 64,
    });
  });
});
