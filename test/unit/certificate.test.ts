import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkCertificate, ISSUE_SKEW_MS, type CertificateCheck } from '../../src/certificate/check.ts';
import {
  addSignature,
  PAYLOAD_TYPE,
  preAuthEncoding,
  signersOf,
  signPayload,
  writeEnvelope,
} from '../../src/certificate/envelope.ts';
import { parseEnvelope } from '../../src/certificate/envelope-parse.ts';
import { buildStatement, sha256 } from '../../src/certificate/statement.ts';
import { TwinproofError } from '../../src/errors.ts';
import { verdictJson } from '../../src/verdict/json.ts';
import {
  ALICE,
  ALICE_PUB,
  BOB,
  BOB_PUB,
  CERTIFICATE,
  INPUT,
  MALLORY_PUB,
  STATEMENT,
} from './certificate-fixture.ts';
import { PRIMARY_IDENTITY } from './readiness-fixture.ts';
import { NOW, POLICY } from './verdict-fixture.ts';
import { times } from './property-runs.ts';

const EXPIRY = Date.parse(STATEMENT.predicate.expiresAt);

function check(
  text: string,
  options: Partial<{ keys: readonly KeyObject[]; threshold: number; now: Date }> = {},
): CertificateCheck {
  return checkCertificate(parseEnvelope(text), { keys: [ALICE_PUB], threshold: 1, now: NOW, ...options });
}

function problems(result: CertificateCheck): readonly string[] {
  return result.problems.map((problem) => problem.code);
}

/** Alice signs what is given, as it is. */
function signed(payload: string | Buffer, payloadType = PAYLOAD_TYPE): string {
  const bytes = Buffer.from(payload);
  return writeEnvelope({ payloadType, payload: bytes, signatures: [signPayload(payloadType, bytes, ALICE)] });
}

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof TwinproofError) return error.code;
    throw error;
  }
  return 'nothing thrown';
}

describe('envelope', () => {
  it('encodes as the DSSE specification’s own example does', () => {
    expect(preAuthEncoding('http://example.com/HelloWorld', Buffer.from('hello world')).toString()).toBe(
      'DSSEv1 29 http://example.com/HelloWorld 11 hello world',
    );
  });

  it('counts bytes, not characters', () => {
    expect(preAuthEncoding('ß', Buffer.from('전')).toString()).toBe('DSSEv1 2 ß 3 전');
  });

  it('reads what it wrote', () => {
    expect(writeEnvelope(parseEnvelope(CERTIFICATE))).toBe(CERTIFICATE);
  });

  it.each([
    ['no JSON', '{'],
    ['no object', '[]'],
    ['no signatures', '{"payload":"","payloadType":"t","signatures":[]}'],
    ['no signature bytes', '{"payload":"","payloadType":"t","signatures":[{}]}'],
    ['no base64', '{"payload":"*","payloadType":"t","signatures":[{"sig":""}]}'],
    ['base64 with a line break', '{"payload":"YQ\\n==","payloadType":"t","signatures":[{"sig":""}]}'],
    ['base64 with idle bits set', '{"payload":"YR==","payloadType":"t","signatures":[{"sig":""}]}'],
    ['base64 without its padding', '{"payload":"YQ","payloadType":"t","signatures":[{"sig":""}]}'],
  ])('refuses %s', (_, text) => {
    expect(codeOf(() => parseEnvelope(text))).toBe('TP-CERTIFICATE');
  });

  it('is signed with Ed25519 only', () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    expect(codeOf(() => signPayload('t', Buffer.alloc(0), privateKey))).toBe('TP-KEY');
  });
});

describe('statement', () => {
  it('is an in-toto statement about the result and both sites', () => {
    expect(STATEMENT).toMatchObject({
      _type: 'https://in-toto.io/Statement/v1',
      predicateType: 'https://twinproof.dev/verdict/v1',
      subject: [
        { name: 'verify-result', digest: { sha256: sha256(INPUT.resultJson) } },
        { name: 'primary', digest: { sha256: sha256(JSON.stringify(INPUT.primary.identity)) } },
        { name: 'candidate', digest: { sha256: sha256(JSON.stringify(INPUT.candidate.identity)) } },
      ],
    });
  });

  it('carries all that an auditor asks for', () => {
    expect(STATEMENT.predicate).toEqual({
      verdict: verdictJson(INPUT.verdict),
      primary: INPUT.primary,
      candidate: INPUT.candidate,
      times: {
        startedAt: '2026-01-02T03:59:00.000Z',
        finishedAt: '2026-01-02T03:59:59.000Z',
        provenAt: '2026-01-02T03:59:00.000Z',
      },
      method: {
        pair: 'physical',
        encodings: ['pg-binary'],
        digest: { algorithm: 'xxh64', forgeryResistant: false },
        tables: INPUT.tables,
      },
      policy: { ...POLICY, sha256: sha256(JSON.stringify(POLICY)) },
      tool: { name: 'twinproof', version: '0.1.0', sha256: null },
      issuedAt: '2026-01-02T04:00:00.000Z',
      expiresAt: '2026-01-02T04:10:00.000Z',
      nonce: '000102030405060708090a0b0c0d0e0f',
      previous: null,
    });
  });

  it('names of a site what the contract names, whatever else a connector knows of it', () => {
    const site = { ...INPUT.primary, identity: { ...PRIMARY_IDENTITY, segmentBytes: 16_777_216n } };
    expect(buildStatement({ ...INPUT, primary: site })).toEqual(STATEMENT);
  });

  it('says when the digest resists forgery, and names its predecessor', () => {
    const previous = sha256('before');
    const { predicate } = buildStatement({ ...INPUT, digest: 'sha256', previous, provenAt: null });
    expect(predicate.method.digest).toEqual({ algorithm: 'sha256', forgeryResistant: true });
    expect(predicate.previous).toEqual({ payloadSha256: previous });
    expect(predicate.times.provenAt).toBeNull();
  });
});

describe('check', () => {
  it('accepts an authentic certificate and gives back what was signed', () => {
    const result = check(CERTIFICATE);
    expect(result).toMatchObject({ authentic: true, current: true, problems: [], threshold: 1 });
    expect(result.statement).toEqual(STATEMENT);
    expect(result.payloadSha256).toBe(sha256(JSON.stringify(STATEMENT)));
  });

  it('refuses another’s signature, and does not repeat what it says', () => {
    const result = check(CERTIFICATE, { keys: [MALLORY_PUB] });
    expect(result).toMatchObject({ authentic: false, current: false, statement: null, signers: [] });
    expect(problems(result)).toEqual(['TP-C-SIGNATURES']);
  });

  it('trusts no key identifier', () => {
    const [a, b] = ['x', check(CERTIFICATE).signers[0] ?? ''];
    expect(check(CERTIFICATE.replace(b, a)).authentic).toBe(true);
    const forged = CERTIFICATE.replace(b, check(signed('{}'), { keys: [ALICE_PUB] }).signers[0] ?? '');
    expect(check(forged, { keys: [MALLORY_PUB] }).authentic).toBe(false);
  });

  it('counts distinct keys: not signatures, nor files with the same key', () => {
    const envelope = parseEnvelope(CERTIFICATE);
    const twice = writeEnvelope({
      ...envelope,
      signatures: [...envelope.signatures, ...envelope.signatures],
    });
    const both = { keys: [ALICE_PUB, BOB_PUB], threshold: 2 };
    expect(check(twice, both).authentic).toBe(false);
    expect(check(writeEnvelope(addSignature(envelope, BOB)), both).authentic).toBe(true);
    expect(check(CERTIFICATE, { keys: [ALICE_PUB, BOB_PUB], threshold: 1 }).authentic).toBe(true);
    const again = createPublicKey(ALICE);
    expect(signersOf(envelope, [ALICE_PUB, again])).toHaveLength(1);
    expect(codeOf(() => check(twice, { keys: [ALICE_PUB, again], threshold: 2 }))).toBe('TP-USAGE');
  });

  it('a second signature does not change what was signed; the same person cannot give it', () => {
    const envelope = parseEnvelope(CERTIFICATE);
    const two = writeEnvelope(addSignature(envelope, BOB));
    expect(check(two).payloadSha256).toBe(check(CERTIFICATE).payloadSha256);
    expect(codeOf(() => addSignature(envelope, ALICE))).toBe('TP-KEY');
  });

  it.each([0, -1, 2, 0.5, Number.NaN])('a threshold of %d of one key is wrong usage', (threshold) => {
    expect(codeOf(() => check(CERTIFICATE, { threshold }))).toBe('TP-USAGE');
  });

  it('without a key nothing is authentic', () => {
    expect(codeOf(() => check(CERTIFICATE, { keys: [], threshold: 0 }))).toBe('TP-USAGE');
  });

  it.each([
    ['one millisecond before its end', EXPIRY - 1, []],
    ['at its end', EXPIRY, ['TP-C-EXPIRED']],
    ['issued a little ahead of our clock', NOW.getTime() - ISSUE_SKEW_MS, []],
    ['issued in the future', NOW.getTime() - ISSUE_SKEW_MS - 1, ['TP-C-FUTURE']],
    ['when the clock shows no time', Number.NaN, ['TP-C-EXPIRED', 'TP-C-FUTURE']],
  ])('%s', (_, time, expected) => {
    const result = check(CERTIFICATE, { now: new Date(time) });
    expect(problems(result)).toEqual(expected);
    expect(result).toMatchObject({ authentic: true, current: expected.length === 0 });
    expect(result.statement).not.toBeNull();
  });

  const later = { ...STATEMENT, predicate: { ...STATEMENT.predicate, addedLater: 1 } };
  const broken = { ...STATEMENT, predicate: { ...STATEMENT.predicate, nonce: 5 } };
  it.each([
    ['a payload of another type', signed(JSON.stringify(STATEMENT), 'text/plain'), ['TP-C-PAYLOAD-TYPE']],
    ['no JSON', signed('{'), ['TP-C-PAYLOAD']],
    ['no UTF-8', signed(Buffer.from([0x22, 0xff, 0x22])), ['TP-C-PAYLOAD']],
    ['no object', signed('null'), ['TP-C-STATEMENT-TYPE']],
    ['no statement', signed('{}'), ['TP-C-STATEMENT-TYPE']],
    [
      'a statement of a later version',
      signed(JSON.stringify({ ...STATEMENT, _type: 'https://in-toto.io/Statement/v2' })),
      ['TP-C-STATEMENT-TYPE'],
    ],
    [
      'a later predicate',
      signed(JSON.stringify({ ...STATEMENT, predicateType: 'https://twinproof.dev/verdict/v2' })),
      ['TP-C-PREDICATE-TYPE'],
    ],
    ['a predicate with a wrong member', signed(JSON.stringify(broken)), ['TP-C-PAYLOAD']],
    ['a member added later', signed(JSON.stringify(later)), []],
  ])('signed well, but: %s', (_, text, expected) => {
    const result = check(text);
    expect(problems(result)).toEqual(expected);
    expect(result.authentic).toBe(expected.length === 0);
  });

  it('lists every problem', () => {
    const text = signed('{}', 'text/plain');
    expect(problems(check(text, { keys: [BOB_PUB] }))).toEqual(['TP-C-SIGNATURES', 'TP-C-PAYLOAD-TYPE']);
  });
});

function flipped(bytes: Buffer, at: number, mask: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at] = (copy[at] ?? 0) ^ mask;
  return copy;
}

describe('tampering (property)', () => {
  const envelope = parseEnvelope(CERTIFICATE);
  const [signature] = envelope.signatures;
  if (signature === undefined) throw new Error('no signature');

  it('no single byte of the payload or the signature can be changed', () => {
    const rule = fc.property(
      fc.boolean(),
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      (payload, place, mask) => {
        const bytes = payload ? envelope.payload : signature.sig;
        const changed = flipped(bytes, place % bytes.length, mask);
        const text = writeEnvelope(
          payload
            ? { ...envelope, payload: changed }
            : { ...envelope, signatures: [{ ...signature, sig: changed }] },
        );
        return !check(text).authentic;
      },
    );
    expect(() => fc.assert(rule, { numRuns: times(120) })).not.toThrow();
  });

  it('nor any one character of either as the file spells it', () => {
    const spelled = [envelope.payload.toString('base64'), signature.sig.toString('base64')];
    const rule = fc.property(
      fc.constantFrom(...spelled),
      fc.nat(),
      fc.integer({ min: 1, max: 127 }),
      (part, place, mask) => {
        const at = CERTIFICATE.indexOf(part) + (place % part.length);
        const text = flipped(Buffer.from(CERTIFICATE), at, mask).toString();
        try {
          return !check(text).authentic;
        } catch (error) {
          return error instanceof TwinproofError && error.code === 'TP-CERTIFICATE';
        }
      },
    );
    expect(() => fc.assert(rule, { numRuns: times(120) })).not.toThrow();
  });

  it('nor a signature cut, lengthened or left out', () => {
    for (const sig of [
      Buffer.alloc(0),
      signature.sig.subarray(1),
      Buffer.concat([signature.sig, Buffer.alloc(1)]),
    ]) {
      expect(check(writeEnvelope({ ...envelope, signatures: [{ ...signature, sig }] })).authentic).toBe(
        false,
      );
    }
  });
});
