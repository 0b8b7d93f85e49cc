import { createHash } from 'node:crypto';
import { z } from 'zod';
import { ByteReader, ByteWriter, MalformedBytes } from './bytes.ts';
import { parseStored } from './stored.ts';

/**
 * A record of a mirror, big endian:
 *
 *   `TWPRMIRR` (8) · format version (1) · kind (1) · owner (16) · epoch (16) · number in its epoch (6) · SHA-256 of all of
 *   this and of the body (32) · body
 *
 * The owner is a digest of system and primary, so that two systems never share a topic unseen. An epoch is drawn when
 * somebody begins to mirror a ledger from its beginning; its records are numbered from 0, so none can be missing unseen.
 */
export const MIRROR_VERSION = 1;
/** Of one record: with its head well below what brokers take of one batch by default (message.max.bytes, 1 MiB and 12). */
export const MIRROR_BODY_MAX = 768 * 1024;
const MAGIC = Buffer.from('TWPRMIRR', 'latin1');
const NAME_BYTES = 16;
const VERSION_AT = MAGIC.length;
const KIND_AT = VERSION_AT + 1;
const OWNER_AT = KIND_AT + 1;
const EPOCH_AT = OWNER_AT + NAME_BYTES;
const NUMBER_AT = EPOCH_AT + NAME_BYTES;
const NUMBER_BYTES = 6;
const SUM_AT = NUMBER_AT + NUMBER_BYTES;
const SUM_BYTES = 32;
const BODY_AT = SUM_AT + SUM_BYTES;

/**
 * `begin` opens an epoch; `file` is the head of a file of the journal, `journal` bytes of it; `copy` begins a copy of the
 * index, `rows` are its content, `copied` ends it; `note` is a named value; `reached` says how far all of it is.
 */
export const MIRRORED = {
  begin: 1,
  file: 2,
  journal: 3,
  copy: 4,
  rows: 5,
  copied: 6,
  note: 7,
  reached: 8,
} as const;
export type Mirrored = (typeof MIRRORED)[keyof typeof MIRRORED];

/** Whose record it is: both 32 hexadecimal digits. */
export interface MirrorWriter {
  readonly owner: string;
  readonly epoch: string;
}

export interface MirrorRecord extends MirrorWriter {
  readonly kind: Mirrored;
  readonly number: number;
  /** A view. */
  readonly body: Buffer;
}

/** The owner of what is mirrored of a system: both as the ledger's identity has them. */
export function ownerOf(system: string, source: string): string {
  const sum = createHash('sha256').update(system).update('\0').update(source).digest();
  return sum.toString('hex', 0, NAME_BYTES);
}

export function encodeMirrorRecord(
  { owner, epoch }: MirrorWriter,
  number: number,
  kind: Mirrored,
  body: Uint8Array,
): Buffer {
  const bytes = Buffer.allocUnsafe(BODY_AT + body.length);
  MAGIC.copy(bytes, 0);
  bytes[VERSION_AT] = MIRROR_VERSION;
  bytes[KIND_AT] = kind;
  bytes.write(owner, OWNER_AT, NAME_BYTES, 'hex');
  bytes.write(epoch, EPOCH_AT, NAME_BYTES, 'hex');
  bytes.writeUIntBE(number, NUMBER_AT, NUMBER_BYTES);
  bytes.set(body, BODY_AT);
  sumOf(bytes).copy(bytes, SUM_AT);
  return bytes;
}

/** A record that a newer version of this program has written. */
export class NewerRecord extends MalformedBytes {}

/** Throws MalformedBytes for what is no such record, altered or cut off; NewerRecord. */
export function decodeMirrorRecord(bytes: Buffer): MirrorRecord {
  if (bytes.length < BODY_AT || !bytes.subarray(0, MAGIC.length).equals(MAGIC)) {
    throw new MalformedBytes('it is no record of a ledger');
  }
  const version = bytes[VERSION_AT] ?? 0;
  if (version > MIRROR_VERSION) {
    throw new NewerRecord(`it has format version ${version}, and this program knows ${MIRROR_VERSION}`);
  }
  const kind = bytes[KIND_AT] ?? 0;
  if (!isMirrored(kind) || !sumOf(bytes).equals(bytes.subarray(SUM_AT, BODY_AT))) {
    throw new MalformedBytes('it is damaged');
  }
  return {
    kind,
    owner: bytes.toString('hex', OWNER_AT, EPOCH_AT),
    epoch: bytes.toString('hex', EPOCH_AT, NUMBER_AT),
    number: bytes.readUIntBE(NUMBER_AT, NUMBER_BYTES),
    body: bytes.subarray(BODY_AT),
  };
}

function sumOf(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes.subarray(0, SUM_AT)).update(bytes.subarray(BODY_AT)).digest();
}

function isMirrored(kind: number): kind is Mirrored {
  return kind >= MIRRORED.begin && kind <= MIRRORED.reached;
}

const beginSchema = z.object({
  ledger: z.string(),
  system: z.string(),
  source: z.string(),
  digest: z.enum(['xxh64', 'sha256']),
  /** Why it begins, in words. */
  reason: z.string(),
  /** On the clock of the writer, microseconds. */
  atUs: z.string().transform((text) => BigInt(text)),
});
const copySchema = z.object({
  number: z.int(),
  /** Up to here the journal must be there before the copy can stand for anything. */
  to: z.int(),
});
const copiedSchema = z.object({ number: z.int(), entries: z.int() });
const reachedSchema = z.object({
  /** The last place between two transactions that is mirrored, and the link there. */
  at: z.int(),
  link: z.string(),
  /** Where the window of the journal begins. */
  start: z.int(),
  /** Names of everything that is noted: others are not any more. */
  names: z.array(z.string()),
  /** The newest commit time that counts there (Core.forgetTimes); null: none does. */
  newestUs: z
    .string()
    .transform((text) => BigInt(text))
    .nullable()
    .default(null),
  atUs: z.string().transform((text) => BigInt(text)),
});

export type MirrorBegin = z.infer<typeof beginSchema>;
export type MirrorCopy = z.infer<typeof copySchema>;
export type MirrorCopied = z.infer<typeof copiedSchema>;
export type MirrorReached = z.infer<typeof reachedSchema>;

export const readBegin = (body: Buffer): MirrorBegin => parseStored(beginSchema, body);
export const readCopy = (body: Buffer): MirrorCopy => parseStored(copySchema, body);
export const readCopied = (body: Buffer): MirrorCopied => parseStored(copiedSchema, body);
export const readReached = (body: Buffer): MirrorReached => parseStored(reachedSchema, body);

/** Of the values above: JSON, times as text. */
export function encodeValue(value: MirrorBegin | MirrorCopy | MirrorCopied | MirrorReached): Buffer {
  return Buffer.from(
    JSON.stringify(value, (_, one: unknown) => (typeof one === 'bigint' ? one.toString() : one)),
  );
}

/** Bytes of the journal from a place on. */
export function encodeJournal(at: number, bytes: Uint8Array): Buffer {
  const writer = new ByteWriter(bytes.length + NUMBER_BYTES);
  writer.offset(at);
  writer.raw(bytes);
  return writer.written();
}

export function readJournal(body: Buffer): { readonly at: number; readonly bytes: Buffer } {
  const reader = new ByteReader(body);
  const at = reader.offset();
  return { at, bytes: reader.raw(reader.end - reader.at) };
}

/** A named value as what is to be put in place of the middle of its last one. */
export interface NoteChange {
  readonly name: string;
  /** Bytes of the last value that stay before and behind it. */
  readonly head: number;
  readonly tail: number;
  readonly middle: Buffer;
}

/** In pieces of a bounded size, each of which says whether it goes on, and whether more follows. */
export function encodeNote({ name, head, tail, middle }: NoteChange): Buffer[] {
  const pieces: Buffer[] = [];
  let at = 0;
  do {
    const piece = middle.subarray(at, at + NOTE_PIECE_MAX);
    const goesOn = at === 0 ? 0 : NOTE_GOES_ON;
    at += piece.length;
    const writer = new ByteWriter(piece.length + NOTE_HEAD_ROOM);
    writer.byte(goesOn | (at < middle.length ? NOTE_FOLLOWED : 0));
    writer.text(name);
    writer.varint(head);
    writer.varint(tail);
    writer.raw(piece);
    pieces.push(writer.written());
  } while (at < middle.length);
  return pieces;
}

const NOTE_HEAD_ROOM = 256;
const NOTE_FOLLOWED = 1;
const NOTE_GOES_ON = 2;
const NOTE_PIECE_MAX = MIRROR_BODY_MAX - NOTE_HEAD_ROOM;

export function readNote(body: Buffer): Omit<NoteChange, 'middle'> & {
  readonly piece: Buffer;
  /** It is the first of its value: what was left of another one is not wanted. */
  readonly begins: boolean;
  readonly more: boolean;
} {
  const reader = new ByteReader(body);
  const place = reader.byte();
  const name = reader.text();
  const [head, tail] = [reader.varint(), reader.varint()];
  const piece = reader.raw(reader.end - reader.at);
  return {
    name,
    head,
    tail,
    piece,
    begins: (place & NOTE_GOES_ON) === 0,
    more: (place & NOTE_FOLLOWED) !== 0,
  };
}

/** How a value came out of another one. */
export function noteChange(name: string, before: Buffer | null, now: Buffer): NoteChange {
  if (before === null) return { name, head: 0, tail: 0, middle: now };
  const most = Math.min(before.length, now.length);
  let head = 0;
  while (head < most && before[head] === now[head]) head++;
  let tail = 0;
  while (tail < most - head && before[before.length - 1 - tail] === now[now.length - 1 - tail]) tail++;
  return { name, head, tail, middle: now.subarray(head, now.length - tail) };
}

/** The value that `noteChange` was made of. Throws MalformedBytes where that is not the one it came out of. */
export function changedNote(before: Buffer | null, { name, head, tail, middle }: NoteChange): Buffer {
  const from = before ?? Buffer.alloc(0);
  if (head + tail > from.length) throw new MalformedBytes(`what ${name} was before is missing`);
  return Buffer.concat([from.subarray(0, head), middle, from.subarray(from.length - tail)]);
}
