import { html, Html, type HtmlValue } from './html.ts';

/** What one file says. */
export interface Sections {
  readonly title: string;
  readonly tone: 'good' | 'warn' | 'bad' | 'grey';
  readonly body: Html;
}

/** One HTML file that loads nothing, with the text that it was made of at its end. */
export function filePage({ title, tone, body }: Sections, json: string, madeAt: Date): string {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta http-equiv="content-security-policy" content="default-src 'none'; style-src 'unsafe-inline'" />
        <title>Twinproof: ${title}</title>
        <style>
          ${new Html(STYLE)}
        </style>
      </head>
      <body>
        <header class="${tone}">
          <p>Twinproof</p>
          <h1>${title}</h1>
        </header>
        <main>${body}</main>
        <details>
          <summary>The result as JSON</summary>
          <pre>${linesOf(json)}</pre>
        </details>
        <footer>Made at ${madeAt.toISOString()}.</footer>
      </body>
    </html> `.text;
}

/** Each line by itself: an end of line is one, and whatever else acts in a text is shown. */
function linesOf(json: string): Html {
  return new Html(
    json
      .split('\n')
      .map((line) => html`${line}`.text)
      .join('\n'),
  );
}

/** What is null is unknown, and said to be. */
export function facts(pairs: readonly (readonly [string, string | null])[]): Html {
  return html`<dl>
    ${pairs.map(
      ([name, value]) =>
        html`<div>
          <dt>${name}</dt>
          <dd>${value === null || value === '' ? '–' : value}</dd>
        </div>`,
    )}
  </dl>`;
}

/** With its heading. On a narrow screen the table is moved and not the page. */
export function table(title: string, head: readonly string[], rows: readonly (readonly HtmlValue[])[]): Html {
  if (rows.length === 0) {
    return html`<h3>${title}</h3>
      <p>None.</p>`;
  }
  return html`<h3>${title}</h3>
    <div class="scroll" tabindex="0" role="region" aria-label="${title}">
      <table>
        <thead>
          <tr>
            ${head.map((name) => html`<th scope="col">${name}</th>`)}
          </tr>
        </thead>
        <tbody>
          ${rows.map(
            (row) =>
              html`<tr>
                ${row.map((cell) => html`<td>${cell}</td>`)}
              </tr>`,
          )}
        </tbody>
      </table>
    </div>`;
}

/** Contrast of text is at least 4.5 to 1 in both themes; paper is always light. */
const STYLE = `:root{color-scheme:light dark;--ink:#151a21;--paper:#fff;--dim:#545f6d;--line:#dde2e8;--good:#0d6e40;--warn:#7d4d00;--bad:#a81a26;--grey:#475260}
@media screen and (prefers-color-scheme:dark){:root{--ink:#e7ebf0;--paper:#0e1217;--dim:#9ba7b5;--line:#2a323c;--good:#7fdca6;--warn:#f2c76f;--bad:#ff9da2;--grey:#b8c2ce}}
body{font:15px/1.45 system-ui,'Noto Sans KR','Malgun Gothic',sans-serif;color:var(--ink);background:var(--paper);margin:0 auto;max-width:1100px;padding:24px;overflow-wrap:anywhere}
header{border-left:8px solid var(--tone);padding:4px 18px;margin-bottom:20px}header p{margin:0;color:var(--dim)}h1{margin:0;font-size:1.9rem;color:var(--tone)}
.good{--tone:var(--good)}.warn{--tone:var(--warn)}.bad{--tone:var(--bad)}.grey{--tone:var(--grey)}
h2{margin:28px 0 8px}h3{margin:24px 0 6px;font-size:1rem}
dl{display:grid;grid-template-columns:repeat(auto-fit,minmax(220px,1fr));gap:10px 24px;margin:0}dt{color:var(--dim);font-size:.85rem}dd{margin:0}
table{border-collapse:collapse;width:100%;font-size:.9rem}th,td{text-align:left;vertical-align:top;padding:5px 12px 5px 0;border-bottom:1px solid var(--line);min-width:5.5em}th{color:var(--dim);font-weight:500;overflow-wrap:normal}
details{margin-top:32px}pre{white-space:pre-wrap;font-size:.8rem}footer{color:var(--dim);margin-top:24px}
@media screen and (max-width:720px){body{padding:14px}h1{font-size:1.5rem}.scroll{overflow-x:auto}th,td{min-width:8em}}
@media print{:root{color-scheme:light}body{padding:0;max-width:none}tr{break-inside:avoid}details{display:none}}`;
