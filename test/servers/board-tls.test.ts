import { X509Certificate } from 'node:crypto';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { connect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runBoard } from '../../src/commands/board.ts';
import { fleetYaml } from '../unit/board-fixture.ts';
import { until } from './harness/cli.ts';
import { Command } from './harness/command.ts';
import { makeCertificates } from './harness/mysql-tls.ts';

const TOKEN = 'the-token-of-kim-minji';
const DAY_MS = 86_400_000;
const folder = mkdtempSync(path.join(tmpdir(), 'twinproof-board-tls-'));
const at = (name: string): string => path.join(folder, name);

beforeAll(async () => {
  await makeCertificates(folder, false, null);
  writeFileSync(at('text.pem'), 'no certificate');
});
afterAll(() => rmSync(folder, { recursive: true }));

/** A board with this certificate and key, `days` from now. */
function boardWith(cert: string, key: string, days = 0): Command {
  const file = at('twinproof.yaml');
  writeFileSync(
    file,
    fleetYaml(
      { bank: '' },
      `state: { path: ./state }
board:
  listen: 127.0.0.1:0
  tls: { cert: ./${cert}, key: ./${key} }
  tokens: [{ name: "Kim Minji", role: approver, token: "\${KIM}" }]
`,
    ),
  );
  const now = (): Date => new Date(Date.now() + days * DAY_MS);
  return new Command((io) => runBoard({ config: file, port: null }, { ...io, now }), { KIM: TOKEN });
}

async function refusal(cert: string, key: string, days = 0): Promise<unknown> {
  const command = boardWith(cert, key, days);
  return await command.ended.then(
    () => 'it began',
    (error: unknown) => error,
  );
}

function ask(url: string, body: string | null = null): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const headers =
      body === null
        ? {}
        : { 'content-type': 'application/x-www-form-urlencoded', 'sec-fetch-site': 'same-origin' };
    request(
      url,
      { ca: readFileSync(at('authority.pem')), method: body === null ? 'GET' : 'POST', headers },
      (answer) => {
        answer.resume();
        resolve(answer);
      },
    )
      .on('error', reject)
      .end(body);
  });
}

function fingerprintOf(file: string): string {
  return new X509Certificate(readFileSync(file)).fingerprint256;
}

/** Of the certificate that is served there now. */
function servedBy(url: string): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port), rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate().fingerprint256);
      socket.destroy();
    });
    socket.on('error', reject);
  });
}

describe('the board over TLS', () => {
  it('is served with its certificate, which is checked, and sessions never leave it', async () => {
    const board = boardWith('cert.pem', 'key.pem');
    try {
      await until(() => board.stderr.includes('board at '), 'the board listens', 30_000);
      const url = /board at (https:\S+)/.exec(board.stderr)?.[1] ?? '';
      const health = await ask(`${url}/healthz`);
      expect([health.statusCode, health.headers['strict-transport-security']]).toEqual([
        200,
        'max-age=31536000',
      ]);
      expect((await ask(`${url}/api/v1/fleet`)).statusCode).toBe(401);
      const signedIn = await ask(`${url}/login`, `token=${TOKEN}`);
      expect(signedIn.headers['set-cookie']?.[0]).toMatch(/HttpOnly; SameSite=Strict; .*Secure$/);
      await expect(fetch(url.replace('https', 'http'))).rejects.toThrow('fetch failed');
    } finally {
      await board.stop();
    }
  });

  it('is served with a certificate that was renewed, and with the old one as long as the new one cannot be', async () => {
    for (const [from, to] of [
      ['cert.pem', 'own.pem'],
      ['key.pem', 'own.key'],
    ] as const) {
      copyFileSync(at(from), at(to));
    }
    const board = boardWith('own.pem', 'own.key');
    const renewed = mkdtempSync(path.join(folder, 'renewed-'));
    await makeCertificates(renewed, false, null);
    try {
      await until(() => board.stderr.includes('board at '), 'the board listens', 30_000);
      const url = /board at (https:\S+)/.exec(board.stderr)?.[1] ?? '';
      const [before, wanted] = [at('cert.pem'), path.join(renewed, 'cert.pem')].map(fingerprintOf);
      expect(await servedBy(url)).toBe(before);
      // One of the two files alone, which stays so: told once.
      copyFileSync(path.join(renewed, 'cert.pem'), at('own.pem'));
      await until(() => board.stderr.includes('was not renewed'), 'it is told', 30_000);
      expect(await servedBy(url)).toBe(before);
      copyFileSync(path.join(renewed, 'key.pem'), at('own.key'));
      await until(async () => (await servedBy(url)) === wanted, 'the new one is served', 30_000);
      expect(board.stderr.match(/was not renewed/g)).toHaveLength(1);
      expect(board.stderr).toContain('own.key is not the key of the certificate');
    } finally {
      await board.stop();
    }
  });

  it('does not begin with what a browser would refuse, and says why', async () => {
    const cases = [
      [
        await refusal('cert.pem', 'authority.key'),
        /authority\.key is not the key of the certificate .*cert\.pem/,
      ],
      [await refusal('cert.pem', 'key.pem', 31), /cert\.pem has expired at 20/],
      [await refusal('cert.pem', 'key.pem', -2), /cert\.pem does not hold before 20/],
      [await refusal('text.pem', 'key.pem'), /text\.pem is no certificate in PEM/],
      [await refusal('cert.pem', 'text.pem'), /text\.pem is no private key in PEM/],
      [await refusal('absent.pem', 'key.pem'), /the certificate of the board cannot be read: ENOENT/],
    ] as const;
    for (const [error, message] of cases) {
      expect(error).toMatchObject({ code: 'TP-BOARD', message: expect.stringMatching(message) });
    }
  });
});
