import type { LagPoint } from '../state/schema.ts';
import { Html, html } from '../report/html.ts';
import type { Words } from './words.ts';

const WIDTH = 132;
const HEIGHT = 30;
const POINTS_MAX = 60;
/** Lag below this is drawn flat: noise of milliseconds is no mountain. */
const SCALE_MS_MIN = 1_000;

interface Plot {
  readonly width: number;
  readonly height: number;
  readonly top: number;
  readonly scaleMs: number;
}

/** Lag of the last samples: a line with gaps where it was unknown, and the objective where it comes near. */
export function sparkline(samples: readonly LagPoint[], objectiveMs: number | null, words: Words): Html {
  const shown = samples.slice(-POINTS_MAX);
  const last = shown.at(-1);
  const now = last?.ms ?? null;
  const said = `${words.lag}: ${now === null ? words.unknown : words.time(now)}`;
  if (shown.length < 2)
    return html`<span class="nodata">${now === null ? words.unknown : words.time(now)}</span>`;
  const plot = plotOf(shown, objectiveMs, WIDTH, HEIGHT, 3);
  return html`<span class="spark"
    ><svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${said}" preserveAspectRatio="none">
      ${objectiveLine(plot, objectiveMs)}
      <path class="line" d="${linePath(shown, plot)}" />
    </svg>
    <span class="figure">${now === null ? words.unknown : words.time(now)}</span></span
  >`;
}

/** The same, large, with a scale. */
export function lagChart(samples: readonly LagPoint[], objectiveMs: number | null, words: Words): Html {
  const [first, last] = [samples[0], samples.at(-1)];
  if (first === undefined || last === undefined || samples.length < 2) return html`<p>${words.unknown}</p>`;
  const [width, height] = [720, 180];
  const plot = plotOf(samples, objectiveMs, width, height, 14);
  const line = linePath(samples, plot);
  const most = Math.max(0, ...samples.map(({ ms }) => ms ?? 0));
  return html`<figure class="chart">
    <svg
      viewBox="0 0 ${width} ${height}"
      role="img"
      aria-label="${words.lagHistory}"
      preserveAspectRatio="none"
    >
      ${[0.25, 0.5, 0.75].map(
        (share) =>
          html`<line
            class="grid"
            x1="0"
            x2="${width}"
            y1="${yOf(plot.scaleMs * share, plot)}"
            y2="${yOf(plot.scaleMs * share, plot)}"
          />`,
      )}
      ${objectiveLine(plot, objectiveMs)}
      <path class="line" d="${line}" />
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

/** The objective is in the picture unless the lag is so far below it that the picture would be empty. */
function plotOf(
  samples: readonly LagPoint[],
  objectiveMs: number | null,
  width: number,
  height: number,
  top: number,
): Plot {
  const most = Math.max(SCALE_MS_MIN, ...samples.map(({ ms }) => ms ?? 0));
  const near = objectiveMs !== null && objectiveMs <= most * 4;
  return { width, height, top, scaleMs: near ? Math.max(most, objectiveMs) : most };
}

function objectiveLine(plot: Plot, objectiveMs: number | null): Html | null {
  if (objectiveMs === null || objectiveMs > plot.scaleMs) return null;
  const y = yOf(objectiveMs, plot);
  return html`<line class="objective" x1="0" x2="${plot.width}" y1="${y}" y2="${y}" />`;
}

function yOf(ms: number, { height, top, scaleMs }: Plot): number {
  return Math.round((height - 2 - (ms / scaleMs) * (height - top - 2)) * 10) / 10;
}

/** Over the time of the samples, not their number, so that a pause is a pause. */
function linePath(samples: readonly LagPoint[], plot: Plot): string {
  const from = Date.parse(samples[0]?.at ?? '');
  const until = Date.parse(samples.at(-1)?.at ?? '');
  const span = Math.max(1, until - from);
  let path = '';
  let drawing = false;
  for (const { at, ms } of samples) {
    if (ms === null) {
      drawing = false;
      continue;
    }
    const x = Math.round(((Date.parse(at) - from) / span) * plot.width * 10) / 10;
    path += `${drawing ? 'L' : 'M'}${x} ${yOf(ms, plot)}`;
    // A lone sample between two gaps is a dot.
    if (!drawing) path += 'h.1';
    drawing = true;
  }
  return path;
}
