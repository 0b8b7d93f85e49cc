export const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
export type Day = (typeof DAYS)[number];

const MINUTES_OF_DAY = 1440;
const SLOT_MS = 15 * 60_000;
const WEEK_SLOTS = (7 * 24 * 3_600_000) / SLOT_MS;

/** Hours in which rows are read at another rate than otherwise. */
export interface ScrubWindow {
  /** On which days it begins. */
  readonly days: readonly Day[];
  /** Minutes since midnight on the clock of the zone; the end is not part of it. Over midnight when it is not later. */
  readonly from: number;
  readonly to: number;
  /** 0: none is read. Null: not bounded. */
  readonly rowsPerSecond: number | null;
}

/** How fast rows are read to be proven, by time of day. */
export interface ScrubConfig {
  /** Outside of every window. Null: not bounded. */
  readonly rowsPerSecond: number | null;
  /** Whose clock the windows go by (IANA name); null: that of the machine. */
  readonly zone: string | null;
  /** The first that holds counts. */
  readonly windows: readonly ScrubWindow[];
}

export const UNBOUNDED_SCRUB: ScrubConfig = { rowsPerSecond: null, zone: null, windows: [] };

/** `09:30` in minutes since midnight; `24:00` is the end of the day. Null: it is no time of day. */
export function timeOfDay(text: string): number | null {
  const match = /^([0-9]{1,2}):([0-9]{2})$/.exec(text);
  const [hours, minutes] = [Number(match?.[1]), Number(match?.[2])];
  const total = hours * 60 + minutes;
  return match !== null && minutes < 60 && total <= MINUTES_OF_DAY ? total : null;
}

export function isZone(zone: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: zone }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}

/** The clock on the wall of a zone. */
interface WallTime {
  /** Place in DAYS. */
  readonly day: number;
  /** Since midnight. */
  readonly minute: number;
}

/** Tells the rate of any moment. Pure; it keeps a formatter, since making one takes a hundred times as long as using it. */
export class ScrubRates {
  readonly #config: ScrubConfig;
  readonly #clock: Intl.DateTimeFormat;

  constructor(config: ScrubConfig) {
    this.#config = config;
    this.#clock = new Intl.DateTimeFormat('en-US', {
      ...(config.zone === null ? {} : { timeZone: config.zone }),
      weekday: 'short',
      hour: '2-digit',
      minute: '2-digit',
      hourCycle: 'h23',
    });
  }

  /** Rows per second at a moment (milliseconds since 1970); 0: none. Null: not bounded. */
  at(nowMs: number): number | null {
    const { windows, rowsPerSecond } = this.#config;
    if (windows.length === 0) return rowsPerSecond;
    const wall = this.#wallTime(nowMs);
    const window = windows.find((one) => isWithin(one, wall));
    return window === undefined ? rowsPerSecond : window.rowsPerSecond;
  }

  /**
   * How many rows may be read in the worst stretch of so many milliseconds of the week that begins at `nowMs`, by
   * quarters of an hour; Infinity: one cannot say, since some of it is not bounded.
   */
  leastRows(spanMs: number, nowMs: number): number {
    const { windows, rowsPerSecond } = this.#config;
    if (windows.length === 0) return rowsPerSecond === null ? Infinity : (rowsPerSecond * spanMs) / 1000;
    const slots = Array.from({ length: WEEK_SLOTS }, (_, slot) => {
      const rate = this.at(nowMs + slot * SLOT_MS);
      return rate === null ? Infinity : (rate * SLOT_MS) / 1000;
    });
    const span = spanMs / SLOT_MS;
    const weeks = Math.floor(span / WEEK_SLOTS);
    const rest = span - weeks * WEEK_SLOTS;
    const ofWeek = slots.reduce((sum, rows) => sum + rows, 0);
    let least = Infinity;
    for (const start of slots.keys()) least = Math.min(least, rowsFrom(slots, start, rest));
    return (weeks === 0 ? 0 : weeks * ofWeek) + least;
  }

  #wallTime(nowMs: number): WallTime {
    const parts = new Map(this.#clock.formatToParts(nowMs).map(({ type, value }) => [type, value]));
    const day = DAYS.findIndex((name) => name === parts.get('weekday')?.toLowerCase());
    return { day, minute: Number(parts.get('hour')) * 60 + Number(parts.get('minute')) };
  }
}

/** Rows of a stretch of a week that goes round, in slots, the last of which may count in part. */
function rowsFrom(slots: readonly number[], start: number, length: number): number {
  let rows = 0;
  for (let left = length, at = start; left > 0; left--, at++) {
    const ofSlot = slots[at % slots.length] ?? 0;
    rows += left >= 1 || ofSlot === Infinity ? ofSlot : ofSlot * left;
  }
  return rows;
}

function isWithin({ days, from, to }: ScrubWindow, { day, minute }: WallTime): boolean {
  const begins = (at: number): boolean => days.some((name) => name === DAYS[(at + 7) % 7]);
  if (from < to) return begins(day) && minute >= from && minute < to;
  return (begins(day) && minute >= from) || (begins(day - 1) && minute < to);
}

/** When it holds, for people: `09:00–18:00 mon, tue`. */
export function windowText({ days, from, to }: ScrubWindow): string {
  const time = (minute: number): string =>
    `${String(Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`;
  const when = days.length === DAYS.length ? '' : ` ${days.join(', ')}`;
  return `${time(from)}–${time(to)}${when}`;
}
