import { describe, expect, test } from 'vitest';
import { EventReader } from '../../connectors/mysql/binlog-event.ts';
import { GtidReader } from '../../connectors/mysql/binlog-gtid.ts';
import { parsePosition, positionOfList } from '../../connectors/mysql/gtid.ts';
import { parseGtidList } from '../../connectors/mysql/gtid-list.ts';
import {
  LogFile,
  type LogMark,
  markOf,
  parseMark,
  type PlacedTransaction,
} from '../../connectors/mysql/log-mark.ts';
import { MarkCheck } from '../../connectors/mysql/log-same.ts';
import type { HeldTransaction } from '../../src/connector/changes.ts';
import type { Position } from '../../src/connector/position.ts';
import { FORMAT, formatEvent, mariadbGtidEvent, rotateEvent, XID_EVENT } from './binlog-events.ts';

const HEARTBEAT = 27;
const POSITION = positionOfList(parseGtidList('0-1-7'));

function heartbeat(next: number): Uint8Array {
  const event = Buffer.from(rotateEvent('log.000001'));
  event[4] = HEARTBEAT;
  event.writeUInt32LE(next, 13);
  return event;
}

/** What a stream of these events would leave: each GTID is of a transaction that was handed out. */
function marked(events: readonly Uint8Array[], position: Position = POSITION): LogMark | null {
  const [reader, file] = [new EventReader(), new LogFile()];
  let last: PlacedTransaction | null = null;
  for (const bytes of events) {
    const event = reader.read(bytes);
    if (event.type === 4) file.rotate(event);
    else if (event.type === 15) file.begun = event.timestamp;
    else if (event.type === HEARTBEAT) file.reach(event);
    else if (event.type === 162) last = file.place(event);
  }
  return markOf(file, last, position);
}

function markedSurely(events: readonly Uint8Array[]): LogMark {
  const mark = marked(events);
  if (mark === null) throw new Error('there is none');
  return mark;
}

const BEGIN = [rotateEvent('log.000001'), FORMAT];
const SEVENTH = mariadbGtidEvent(7, { next: 700 });
const MARK = markedSurely([...BEGIN, mariadbGtidEvent(6, { next: 600 }), XID_EVENT, SEVENTH, XID_EVENT]);
const AFTER = { kind: 'list', list: parseGtidList('0-1-9') } as const;

function check(mark: LogMark, held: HeldTransaction | null, ...sent: readonly Uint8Array[]): boolean | null {
  const one = new MarkCheck(mark, held, AFTER);
  for (const event of sent) {
    const answer = one.take(event);
    if (answer !== null) return answer;
  }
  return null;
}

function heldOf(bytes: Uint8Array): HeldTransaction {
  const reader = new EventReader();
  reader.read(FORMAT);
  const { id, committedAtUs } = new GtidReader().read(reader.read(bytes));
  return { id, committedAtUs, position: POSITION };
}

describe('the mark of a log', () => {
  test('says where the last transaction stands, and is read as it was written', () => {
    expect(MARK).toMatchObject({
      file: 'log.000001',
      begun: 1_700_000_000,
      last: { at: 700 - SEVENTH.length },
    });
    expect(parseMark(JSON.stringify(MARK))).toEqual(MARK);
    expect(parsePosition(MARK.position).kind).toBe('list');
    for (const text of ['', '{}', 'null', JSON.stringify({ ...MARK, position: 'elsewhere' })]) {
      expect(parseMark(text)).toBeNull();
    }
  });

  test('says nothing before a file is known, and then how far that was there', () => {
    expect(marked([])).toBeNull();
    expect(marked([rotateEvent('log.000001')])).toBeNull();
    const mark = marked([...BEGIN, heartbeat(4000), heartbeat(3000)]);
    expect(mark).toMatchObject({ file: 'log.000001', reached: 4000, last: null });
  });

  test('leaves out where a transaction stands that begins behind four gigabytes', () => {
    const mark = marked([
      ...BEGIN,
      mariadbGtidEvent(6, { next: 2 ** 32 - 1 }),
      mariadbGtidEvent(7, { next: 500 }),
    ]);
    expect(mark?.last).toBeNull();
  });
});

describe('a log that is held against its mark', () => {
  const mark = MARK;

  test('is the same where the very transaction stands', () => {
    expect(check(mark, null, ...BEGIN, SEVENTH)).toBe(true);
  });

  test('is another one where that was committed at another time, stands elsewhere, or is none', () => {
    for (const other of [
      mariadbGtidEvent(7, { next: 700, timestamp: 1_700_000_001 }),
      mariadbGtidEvent(7, { next: 800 }),
      mariadbGtidEvent(8, { next: 700 }),
      mariadbGtidEvent(7, { next: 700, serverId: 2 }),
      heartbeat(700),
    ]) {
      expect(check(mark, null, ...BEGIN, other)).toBe(false);
    }
  });

  test('is another one where the file was begun at another time', () => {
    const begun = Buffer.from(formatEvent(0));
    begun.writeUInt32LE(1_700_000_001, 0);
    expect(check(mark, null, rotateEvent('log.000001'), begun)).toBe(false);
  });

  test('must also have what was stored behind the mark, committed when it was', () => {
    const eighth = mariadbGtidEvent(8, { next: 800 });
    const ninth = mariadbGtidEvent(9, { next: 900, timestamp: 1_700_000_005 });
    const held = heldOf(ninth);
    const log = [...BEGIN, SEVENTH, XID_EVENT, eighth, XID_EVENT];
    expect(check(mark, held, ...log)).toBeNull();
    expect(check(mark, held, ...log, ninth)).toBe(true);
    expect(check(mark, held, ...log, mariadbGtidEvent(9, { next: 900, timestamp: 1_700_000_006 }))).toBe(
      false,
    );
    expect(check(mark, held, ...log, heartbeat(900))).toBe(false);
    // What was not stored yet comes before it: it is not there.
    expect(check(mark, held, ...log, mariadbGtidEvent(10, { next: 900 }))).toBe(false);
  });

  test('is looked through from the beginning of its file where no transaction had been handed out', () => {
    const empty = markedSurely([...BEGIN, heartbeat(500)]);
    const eighth = mariadbGtidEvent(8, { next: 800 });
    expect(check(empty, null, ...BEGIN)).toBe(true);
    expect(check(empty, heldOf(eighth), ...BEGIN)).toBeNull();
    expect(check(empty, heldOf(eighth), ...BEGIN, SEVENTH, XID_EVENT, eighth)).toBe(true);
  });
});
