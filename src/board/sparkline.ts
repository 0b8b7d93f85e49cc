import { scaleLinear, scaleUtc } from 'd3-scale';
import { line } from 'd3-shape';
import type { LagPoint } from '../state/schema.ts';
import { Html, html } from '../report/html.ts';
import type { Words } from './words.ts';

const WIDTH = 132;
const HEIGHT = 30;
const POINTS_MAX = 60;
/** Lag below this is drawn flat: noise of milliseconds is no mountain. */
const SCALE_MS_MIN = 1_000;
/** Lines behind the large picture. */
const GRID_LINES = 4;

interface Frame {
  readonly width: number;
  readonly height: number;
  /** Room above the highest value. */
  readonly top: number;
}

/** A picture of samples: where their line runs, and at which height a lag lies. */
interface Plot {
  readonly path: string;
  readonly yOf: (ms: number) => number;
  /** Of the lines that make the height readable, in milliseconds. */
  readonly grid: readonly number[];
  readonly highestMs: number;
}

/** Lag of the last samples: a line with gaps where it was unknown, and the objective where it comes near. */
export function sparkline(samples: readonly LagPoint[], objectiveMs: number | null, words: Words): Html {
  const shown = samples.slice(-POINTS_MAX);
  const last = shown.at(-1);
  const now = last?.ms ?? null;
  const said = `${words.lag}: ${now === null ? words.unknown : words.time(now)}`;
  if (shown.length < 2)
    return html`<span class="nodata">${now === null ? words.unknown : words.time(now)}</span>`;
  const plot = plotOf(shown, objectiveMs, { width: WIDTH, height: HEIGHT, top: 3 });
  return html`<span class="spark"
    ><svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${said}" preserveAspectRatio="none">
      ${objectiveLine(plot, objectiveMs, WIDTH)}
      <path class="line" d="${plot.path}" />
    </svg>
    <span class="figure">${now === null ? words.unknown : words.time(now)}</span></span
  >`;
}

/** The same, large, with a scale. */
export function lagChart(samples: readonly LagPoint[], objectiveMs: number | null, words: Words): Html {
  const [first, last] = [samples[0], samples.at(-1)];
  if (first === undefined || last === undefined || samples.length < 2) return html`<p>${words.unknown}</p>`;
  const [width, height] = [720, 180];
  const plot = plotOf(samples, objectiveMs, { width, height, top: 14 });
  const most = Math.max(0, ...samples.map(({ ms }) => ms ?? 0));
  return html`<figure class="chart">
    <svg
      viewBox="0 0 ${width} ${height}"
      role="img"
      aria-label="${words.lagHistory}"
      preserveAspectRatio="none"
    >
      ${plot.grid.map((ms) => levelLine('grid', plot.yOf(ms), width))}
      ${objectiveLine(plot, objectiveMs, width)}
      <path class="line" d="${plot.path}" />
    </svg>
    <figcaption>
      <span>${timeOf(first.at)}</span>
      <span
        >${words.atMost(words.time(most))}${
          objectiveMs === null
            ? null
            : html` · <span class="objective-key">${words.objective} ${words.time(objectiveMs)}</span>`
        }</span
      >
      <span>${timeOf(last.at)}</span>
    </figcaption>
  </figure>`;
}

function timeOf(time: string): string {
  return time.slice(11, 19);
}

/**
 * Over the time of the samples, not their number, so that a pause is a pause. The objective is in the picture unless the
 * lag is so far below it that the picture would be empty.
 */
function plotOf(
  samples: readonly LagPoint[],
  objectiveMs: number | null,
  { width, height, top }: Frame,
): Plot {
  const most = Math.max(SCALE_MS_MIN, ...samples.map(({ ms }) => ms ?? 0));
  const near = objectiveMs !== null && objectiveMs <= most * 4;
  const highestMs = near ? Math.max(most, objectiveMs) : most;
  const lag = scaleLinear([0, highestMs], [height - 2, top]);
  const time = scaleUtc(timesOf(samples), [0, width]);
  const path = line<LagPoint>()
    .digits(1)
    .defined(({ ms }) => ms !== null)
    .x(({ at }) => time(Date.parse(at)))
    .y(({ ms }) => lag(ms ?? 0));
  const yOf = (ms: number): number => Math.round(lag(ms) * 10) / 10;
  const grid = lag.ticks(GRID_LINES).filter((ms) => ms > 0 && ms < highestMs);
  return { path: path(samples) ?? '', yOf, grid, highestMs };
}

/** Of the first sample and of the last. */
function timesOf(samples: readonly LagPoint[]): [number, number] {
  const from = Date.parse(samples[0]?.at ?? '');
  return [from, Math.max(from + 1, Date.parse(samples.at(-1)?.at ?? ''))];
}

function objectiveLine(plot: Plot, objectiveMs: number | null, width: number): Html | null {
  if (objectiveMs === null || objectiveMs > plot.highestMs) return null;
  return levelLine('objective', plot.yOf(objectiveMs), width);
}

function levelLine(name: 'grid' | 'objective', y: number, width: number): Html {
  return html`<line class="${name}" x1="0" x2="${width}" y1="${y}" y2="${y}" />`;
}
