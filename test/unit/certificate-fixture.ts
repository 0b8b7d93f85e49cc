import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { issueCertificate } from '../../src/certificate/issue.ts';
import { buildStatement, type Statement, type StatementInput } from '../../src/certificate/statement.ts';
import type { CommandIo } from '../../src/commands/io.ts';
import { judge } from '../../src/verdict/verdict.ts';
import { PRIMARY_IDENTITY, STANDBY_IDENTITY } from './readiness-fixture.ts';
import { before, NOW, POLICY, SWITCHOVER } from './verdict-fixture.ts';

/** The PKCS#8 form of an Ed25519 key (RFC 8410) is this and the 32 bytes of RFC 8032: tests have keys that stay. */
const PKCS8_HEAD = Buffer.from('302e020100300506032b657004220420', 'hex');

export function keyFrom(byte: number): KeyObject {
  const der = Buffer.concat([PKCS8_HEAD, Buffer.alloc(32, byte)]);
  return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
}

export const ALICE = keyFrom(1);
export const BOB = keyFrom(2);
export const MALLORY = keyFrom(3);
export const ALICE_PUB = createPublicKey(ALICE);
export const BOB_PUB = createPublicKey(BOB);
export const MALLORY_PUB = createPublicKey(MALLORY);

export function countingBytes(size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, at) => at);
}

export const INPUT: StatementInput = {
  verdict: judge(SWITCHOVER),
  policy: POLICY,
  primary: { identity: PRIMARY_IDENTITY, position: '1/0/3000060', clockSkewMs: 12 },
  candidate: { identity: STANDBY_IDENTITY, position: '1/0/3000060', clockSkewMs: null },
  startedAt: before(60_000),
  finishedAt: before(1000),
  provenAt: before(60_000),
  pair: 'physical',
  digest: 'xxh64',
  tables: [
    {
      table: 'public.orders',
      outcome: 'same',
      encoding: 'pg-binary',
      method: 'block',
      rows: { primary: '5', candidate: '5' },
    },
  ],
  resultJson: '{"schema":"twinproof.verify/v1"}',
  tool: { version: '0.1.0', sha256: null },
  previous: null,
  issuedAt: NOW,
  randomBytes: countingBytes,
};

export const STATEMENT: Statement = buildStatement(INPUT);
export const CERTIFICATE = issueCertificate(STATEMENT, ALICE);

/** A directory of this test, gone with it. */
export async function directory(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'twinproof-certificate-'));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

export interface Recorded extends CommandIo {
  readonly printed: string[];
}

export function recorder(now: Date = NOW): Recorded {
  const printed: string[] = [];
  const keep = (text: string): void => {
    printed.push(text);
  };
  let calls = 0;
  // Names of temporary files must differ from call to call.
  const randomBytes = (size: number): Uint8Array => new Uint8Array(size).fill((calls += 1));
  return { printed, stdout: keep, stderr: keep, now: () => now, randomBytes };
}
