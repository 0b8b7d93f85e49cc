import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { chmod, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { previousCertificate } from '../../src/certificate/chain.ts';
import { addSignature, writeEnvelope } from '../../src/certificate/envelope.ts';
import { parseEnvelope } from '../../src/certificate/envelope-parse.ts';
import { issueCertificate } from '../../src/certificate/issue.ts';
import { fingerprintOf, loadPrivateKey, loadPublicKey } from '../../src/certificate/key.ts';
import { buildStatement, sha256 } from '../../src/certificate/statement.ts';
import { runKeygen } from '../../src/commands/keygen.ts';
import { ALICE, BOB, CERTIFICATE, directory, INPUT, recorder, STATEMENT } from './certificate-fixture.ts';
import { before, NOW } from './verdict-fixture.ts';

const PUBLIC = { type: 'spki', format: 'pem' } as const;

describe('keygen', () => {
  it('writes a key pair that works, the private key for its owner only', async () => {
    const out = join(await directory(), 'twinproof.key');
    const io = recorder();
    expect(await runKeygen({ out, force: false }, io)).toBe(0);
    expect((await stat(out)).mode & 0o777).toBe(0o600);
    const [privateKey, publicKey] = [await loadPrivateKey(out), await loadPublicKey(`${out}.pub`)];
    expect(createPublicKey(privateKey).equals(publicKey)).toBe(true);
    expect(io.printed.join('')).toContain(fingerprintOf(publicKey));
    expect(io.printed.join('')).not.toContain('PRIVATE');
    expect((await readFile(out, 'utf8')).startsWith('-----BEGIN PRIVATE KEY-----')).toBe(true);
  });

  it.each(['', '.pub'])(
    'overwrites no file (“key%s”) unless forced, and leaves nothing behind',
    async (suffix) => {
      const path = await directory();
      const out = join(path, 'key');
      await writeFile(out + suffix, 'precious');
      await expect(runKeygen({ out, force: false }, recorder())).rejects.toMatchObject({ code: 'TP-OUTPUT' });
      expect(await readFile(out + suffix, 'utf8')).toBe('precious');
      expect(await readdir(path)).toEqual([`key${suffix}`]);
      expect(await runKeygen({ out, force: true }, recorder())).toBe(0);
      expect((await readdir(path)).sort()).toEqual(['key', 'key.pub']);
      await loadPrivateKey(out);
    },
  );

  it('follows no link that stands in its way', async () => {
    const path = await directory();
    await writeFile(join(path, 'victim'), 'precious');
    await symlink(join(path, 'victim'), join(path, 'key'));
    await runKeygen({ out: join(path, 'key'), force: true }, recorder());
    expect(await readFile(join(path, 'victim'), 'utf8')).toBe('precious');
  });

  it('says so when the directory is not there', async () => {
    const out = join(await directory(), 'nowhere', 'key');
    await expect(runKeygen({ out, force: false }, recorder())).rejects.toMatchObject({ code: 'TP-OUTPUT' });
  });

  it('gives a private key its mode, whatever the file that it replaces had', async () => {
    const out = join(await directory(), 'key');
    await writeFile(out, 'old', { mode: 0o644 });
    await runKeygen({ out, force: true }, recorder());
    expect((await stat(out)).mode & 0o777).toBe(0o600);
    expect((await stat(`${out}.pub`)).mode & 0o777).toBe(0o644);
  });
});

describe('key files', () => {
  it.each([0o640, 0o604, 0o644, 0o660])(
    'a private key with mode %o is refused, with the way out',
    async (mode) => {
      const out = join(await directory(), 'key');
      await runKeygen({ out, force: false }, recorder());
      await chmod(out, mode);
      await expect(loadPrivateKey(out)).rejects.toMatchObject({
        code: 'TP-KEY',
        hint: `chmod 600 ${out}; if others could read it, make a new key`,
      });
    },
  );

  it('a key of another kind, a private key as a public one, rubbish, a directory and nothing are refused', async () => {
    const path = await directory();
    const file = join(path, 'key');
    const ec = generateKeyPairSync('ec', {
      namedCurve: 'P-256',
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
      publicKeyEncoding: PUBLIC,
    });
    const refusal = { code: 'TP-KEY' };
    await writeFile(file, ec.privateKey, { mode: 0o600 });
    await expect(loadPrivateKey(file)).rejects.toMatchObject(refusal);
    await expect(loadPublicKey(file)).rejects.toMatchObject(refusal);
    await writeFile(file, ec.publicKey);
    await expect(loadPublicKey(file)).rejects.toMatchObject(refusal);
    await expect(loadPrivateKey(file)).rejects.toMatchObject(refusal);
    await writeFile(file, 'rubbish');
    await expect(loadPublicKey(file)).rejects.toMatchObject(refusal);
    await expect(loadPublicKey(path)).rejects.toMatchObject(refusal);
    await expect(loadPublicKey(join(path, 'nothing'))).rejects.toMatchObject(refusal);
  });
});

function issued(ms: number): string {
  return issueCertificate(buildStatement({ ...INPUT, issuedAt: before(ms) }), ALICE);
}

describe('chain', () => {
  it('finds nothing where nothing is', async () => {
    const path = await directory();
    expect(await previousCertificate(join(path, 'none'))).toBeNull();
    expect(await previousCertificate(path)).toBeNull();
  });

  it('takes the file that would be overwritten; a later signature does not break the link', async () => {
    const file = join(await directory(), 'certificate.json');
    await writeFile(file, CERTIFICATE);
    const payloadSha256 = sha256(JSON.stringify(STATEMENT));
    expect(await previousCertificate(file)).toEqual({
      path: file,
      payloadSha256,
      issuedAt: NOW.toISOString(),
    });
    await writeFile(file, writeEnvelope(addSignature(parseEnvelope(CERTIFICATE), BOB)));
    expect(await previousCertificate(file)).toMatchObject({ payloadSha256 });
  });

  it('takes the one issued last in a directory, whatever else lies there', async () => {
    const path = await directory();
    await writeFile(join(path, 'a.json'), issued(1000));
    await writeFile(join(path, 'b.json'), issued(10));
    await writeFile(join(path, 'c.json'), issued(500));
    await writeFile(join(path, 'notes.txt'), 'not a certificate');
    await mkdir(join(path, 'old'));
    expect(await previousCertificate(path)).toMatchObject({ path: join(path, 'b.json') });
  });

  it('refuses to cut the chain by overwriting what is no certificate', async () => {
    const file = join(await directory(), 'out');
    const payload = Buffer.from('{}').toString('base64');
    for (const text of ['rubbish', `{"payload":"${payload}","payloadType":"t","signatures":[{"sig":""}]}`]) {
      await writeFile(file, text);
      await expect(previousCertificate(file)).rejects.toMatchObject({ code: 'TP-CERTIFICATE' });
    }
    await writeFile(file, '{"payload":"eA==","payloadType":"t","signatures":[{"sig":""}]}');
    await expect(previousCertificate(file)).rejects.toMatchObject({ code: 'TP-CERTIFICATE' });
    await expect(previousCertificate(join(file, 'below'))).rejects.toMatchObject({ code: 'TP-CERTIFICATE' });
  });
});
