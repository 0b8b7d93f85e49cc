/** One sheet for screen, phone and paper. Contrast of text is at least 4.5 to 1 in both themes. */
export const STYLE = `
:root {
  color-scheme: light;
  --bg: #f5f6f8; --panel: #ffffff; --ink: #151a21; --dim: #545f6d; --line: #dde2e8; --focus: #1d5fd1;
  --safe: #0d6e40; --safe-bg: #e4f4eb; --loss: #7d4d00; --loss-bg: #fff1d3;
  --not: #a81a26; --not-bg: #fde8e9; --unknown: #475260; --unknown-bg: #e9edf1;
}
@media (prefers-color-scheme: dark) {
  :root:not([data-theme='light']) {
    color-scheme: dark;
    --bg: #0e1217; --panel: #161b22; --ink: #e7ebf0; --dim: #9ba7b5; --line: #2a323c; --focus: #7fb0ff;
    --safe: #7fdca6; --safe-bg: #11301f; --loss: #f2c76f; --loss-bg: #35290e;
    --not: #ff9da2; --not-bg: #3c1619; --unknown: #b8c2ce; --unknown-bg: #242c35;
  }
}
:root[data-theme='dark'] {
  color-scheme: dark;
  --bg: #0e1217; --panel: #161b22; --ink: #e7ebf0; --dim: #9ba7b5; --line: #2a323c; --focus: #7fb0ff;
  --safe: #7fdca6; --safe-bg: #11301f; --loss: #f2c76f; --loss-bg: #35290e;
  --not: #ff9da2; --not-bg: #3c1619; --unknown: #b8c2ce; --unknown-bg: #242c35;
}
* { box-sizing: border-box; }
[hidden] { display: none !important; }
html { font-size: 16px; }
body {
  margin: 0; background: var(--bg); color: var(--ink); line-height: 1.45;
  font-family: system-ui, -apple-system, 'Segoe UI', 'Apple SD Gothic Neo', 'Malgun Gothic', 'Noto Sans KR',
    'Noto Sans CJK KR', 'NanumGothic', sans-serif;
  font-variant-numeric: tabular-nums; overflow-wrap: anywhere;
}
html:lang(ko) { word-break: keep-all; }
a { color: inherit; text-decoration-color: var(--line); text-underline-offset: 3px; }
a:hover { text-decoration-color: currentColor; }
:focus-visible { outline: 3px solid var(--focus); outline-offset: 2px; border-radius: 4px; }
#main:focus { outline: none; }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.skip { position: absolute; left: 12px; top: -60px; background: var(--panel); padding: 8px 12px; z-index: 10; }
.skip:focus { top: 8px; }
code { font-family: ui-monospace, 'SF Mono', Menlo, Consolas, monospace; font-size: .88em; }
small, .sub, .quiet, .label { color: var(--dim); }
.sub { font-size: .875rem; display: block; }
.bad { color: var(--not); }
h1, h2, h3 { line-height: 1.25; margin: 0; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.02rem; } h3 { font-size: 1rem; }
button, input, select, textarea { font: inherit; color: inherit; }
button, .take { cursor: pointer; }
button {
  background: var(--panel); border: 1px solid var(--line); border-radius: 8px; padding: 6px 12px;
}
input, select, textarea {
  background: var(--panel); border: 1px solid var(--line); border-radius: 8px; padding: 8px 10px; width: 100%;
}
input[type='radio'], input[type='checkbox'] { width: auto; }
.top {
  display: flex; flex-wrap: wrap; gap: 8px 24px; align-items: center; padding: 10px 24px;
  background: var(--panel); border-bottom: 1px solid var(--line);
}
.brand { display: flex; gap: 10px; align-items: baseline; }
.brand strong { font-size: 1.1rem; letter-spacing: -.01em; }
.brand span { color: var(--dim); }
.top nav { display: flex; gap: 4px; }
.top nav a { text-decoration: none; padding: 6px 12px; border-radius: 8px; }
.top nav a[aria-current] { background: var(--bg); font-weight: 600; }
.tools { display: flex; flex-wrap: wrap; gap: 14px; align-items: center; margin-left: auto; font-size: .9rem; }
.tools form { display: flex; gap: 8px; align-items: center; }
.theme { padding: 2px 9px; }
.clock .date { display: none; }
.liveness { display: inline-flex; gap: 6px; align-items: center; color: var(--dim); }
.liveness .dot { width: 9px; height: 9px; border-radius: 50%; background: var(--not); }
.liveness.on .dot { background: var(--safe); }
.lost-banner { position: sticky; top: 0; z-index: 5; margin: 0; padding: 12px 24px; background: var(--not-bg); color: var(--not); font-weight: 600; }
.lost main { filter: grayscale(1); opacity: .72; }
main { max-width: 1280px; margin: 0 auto; padding: 20px 24px 64px; }
section { margin-top: 28px; }
section > h2 { margin-bottom: 8px; }

.safe { --tone: var(--safe); --tone-bg: var(--safe-bg); }
.loss { --tone: var(--loss); --tone-bg: var(--loss-bg); }
.not { --tone: var(--not); --tone-bg: var(--not-bg); }
.unknown { --tone: var(--unknown); --tone-bg: var(--unknown-bg); }
.icon {
  width: 1.25em; height: 1.25em; flex: none; fill: none; stroke: currentColor; stroke-width: 2.1;
  stroke-linecap: round; stroke-linejoin: round;
}
.chip {
  display: inline-flex; gap: 7px; align-items: center; padding: 4px 11px 4px 8px; border-radius: 999px;
  color: var(--tone); background: var(--tone-bg); font-weight: 650; white-space: nowrap; font-size: .92rem;
}

.counts { display: grid; grid-template-columns: repeat(4, 1fr); gap: 12px; border: 0; margin: 0; padding: 0; }
.count {
  display: grid; grid-template-columns: auto 1fr; gap: 0 12px; align-items: center; padding: 14px 16px;
  background: var(--panel); border: 1px solid var(--line); border-radius: 12px; color: var(--tone); cursor: pointer;
}
.count .icon { width: 30px; height: 30px; grid-row: span 2; }
.count .number { font-size: 1.9rem; font-weight: 700; line-height: 1.1; }
.count .word { font-size: .9rem; }
.count:has(:checked) { background: var(--tone-bg); border-color: var(--tone); }
.count:has(:focus-visible) { outline: 3px solid var(--focus); outline-offset: 2px; }
.search { display: flex; gap: 16px; align-items: center; margin: 16px 0 4px; }
.search input { max-width: 420px; }
.search .utc { color: var(--dim); font-size: .875rem; margin-left: auto; white-space: nowrap; }

.columns, .row { display: grid; grid-template-columns: 168px minmax(240px, 2.2fr) 1.15fr 1.1fr 1.15fr 190px; gap: 0 18px; }
.columns { padding: 10px 16px 4px; color: var(--dim); font-size: .82rem; }
.tier { margin-top: 12px; }
.tier h2 { font-size: .92rem; color: var(--dim); font-weight: 600; }
.systems { list-style: none; margin: 0; padding: 0; display: grid; gap: 6px; }
.row {
  align-items: start; padding: 12px 16px; background: var(--panel); border: 1px solid var(--line);
  border-left: 5px solid var(--tone); border-radius: 10px;
  content-visibility: auto; contain-intrinsic-size: auto 74px;
}
.row .what strong { font-size: 1.02rem; }
.row .what a { text-decoration: none; }
.row .what a:hover { text-decoration: underline; }
.place {
  display: inline-block; min-width: 1.7em; padding: 0 .3em; margin-right: 8px; text-align: center; font-size: .8rem;
  color: var(--dim); border: 1px solid var(--line); border-radius: 6px;
}
.in-group { display: block; margin-top: 4px; font-size: .8rem; color: var(--dim); }
.in-group .chip { font-size: .8rem; }
.late { color: var(--loss); font-weight: 650; }
.why { display: block; font-size: .875rem; color: var(--tone); }
.waits { display: block; font-size: .875rem; color: var(--loss); }
.cell { font-size: .95rem; }
.cell .label { display: none; font-size: .8rem; }
.spark { display: flex; gap: 8px; align-items: center; }
.spark svg { width: 108px; height: 30px; flex: none; }
.spark .figure { font-size: .85rem; color: var(--dim); white-space: nowrap; }
.line { fill: none; stroke: var(--ink); stroke-width: 1.5; vector-effect: non-scaling-stroke; stroke-linecap: round; }
.grid { stroke: var(--line); stroke-width: 1; vector-effect: non-scaling-stroke; }
.objective { stroke: var(--loss); stroke-width: 1; stroke-dasharray: 4 3; vector-effect: non-scaling-stroke; }
.objective-key { color: var(--loss); }
.nodata { color: var(--dim); font-size: .875rem; }

.hero { margin-top: 4px; padding: 22px 26px; border-radius: 14px; background: var(--panel); border: 1px solid var(--line); border-top: 6px solid var(--tone); }
.answer { display: flex; gap: 20px; align-items: flex-start; }
.answer > .icon { width: 68px; height: 68px; color: var(--tone); stroke-width: 1.7; margin-top: 6px; }
.answer .sub { margin: 0; }
.verdict-word { margin: 2px 0 0; font-size: 2.3rem; font-weight: 720; letter-spacing: -.02em; color: var(--tone); line-height: 1.15; }
.verdict-word code { font-size: .8rem; font-weight: 500; letter-spacing: 0; color: var(--dim); vertical-align: middle; }
.meaning { margin: 4px 0 0; font-size: 1.1rem; }
.take { margin: 8px 0 0; cursor: auto; }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(230px, 1fr)); gap: 14px 26px; margin: 20px 0 0; padding-top: 16px; border-top: 1px solid var(--line); }
.facts dt { color: var(--dim); font-size: .85rem; }
.facts dd { margin: 2px 0 0; font-size: 1.02rem; }
.problem { margin: 16px 0 0; padding: 10px 14px; background: var(--unknown-bg); border-radius: 8px; }
details { background: var(--panel); border: 1px solid var(--line); border-radius: 10px; margin-top: 8px; padding: 0 16px; }
summary { padding: 10px 0; cursor: pointer; font-weight: 600; }
details ul { margin: 0 0 12px; padding-left: 18px; }
details li { margin-top: 8px; }
details li p { margin: 0; }
.hint { color: var(--dim); }
.hint::before { content: '→ '; }
.reason-not-safe { color: var(--not); } .reason-unknown { color: var(--unknown); }
.reason-loss, .reason-warning { color: var(--loss); }
.scroll { overflow-x: auto; background: var(--panel); border: 1px solid var(--line); border-radius: 10px; padding: 4px 16px 12px; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: 8px 14px 8px 0; vertical-align: top; border-bottom: 1px solid var(--line); min-width: 120px; }
tbody tr:last-child > * { border-bottom: 0; }
th[scope='row'] { color: var(--dim); font-weight: 500; font-size: .9rem; }
.best { font-size: .8rem; font-weight: 500; color: var(--dim); border: 1px solid var(--line); border-radius: 6px; padding: 1px 6px; }
.chart { margin: 0; padding: 12px 16px; background: var(--panel); border: 1px solid var(--line); border-radius: 10px; }
.chart svg { width: 100%; height: 170px; display: block; }
figcaption { display: flex; justify-content: space-between; gap: 12px; color: var(--dim); font-size: .85rem; padding-top: 6px; }
figcaption > :not(:nth-child(2)) { white-space: nowrap; }
.relations { display: flex; flex-wrap: wrap; gap: 28px; }
.relations ul { list-style: none; padding: 0; margin: 8px 0 0; display: grid; gap: 6px; }

.order, .order ol { list-style: none; margin: 16px 0 0; padding: 0; display: grid; gap: 8px; }
.step {
  display: grid; grid-template-columns: 44px 168px minmax(220px, 2fr) 1fr 1.2fr 1.4fr; gap: 0 18px; align-items: start;
  padding: 12px 16px; background: var(--panel); border: 1px solid var(--line); border-left: 5px solid var(--tone); border-radius: 10px;
}
.step .label { display: block; }
.step .place { font-size: 1.05rem; font-weight: 650; color: var(--ink); margin: 0; padding: 2px 4px; }
.step .what a { text-decoration: none; }
.step .what a:hover { text-decoration: underline; }
.order .group { border: 1px solid var(--line); border-left: 5px solid var(--tone); border-radius: 14px; padding: 14px 16px; background: var(--bg); }
.group-head { display: flex; flex-wrap: wrap; gap: 12px; align-items: center; }
.group p { margin: 4px 0; }
.decisions { display: grid; gap: 8px; padding-left: 20px; }
.decisions p { margin: 2px 0; }
.decide { display: grid; gap: 12px; max-width: 640px; padding: 18px; background: var(--panel); border: 1px solid var(--line); border-radius: 12px; }
.decide fieldset { display: flex; flex-wrap: wrap; gap: 6px 18px; border: 0; padding: 0; margin: 0; }
.decide legend { color: var(--dim); padding: 0; }
.decide button, .login button { justify-self: start; background: var(--ink); color: var(--panel); border-color: var(--ink); padding: 8px 18px; }
.login { display: grid; gap: 12px; max-width: 360px; margin-top: 20px; }

@media (max-width: 980px) {
  .columns { display: none; }
  .row { grid-template-columns: 1fr 1fr; gap: 10px 16px; contain-intrinsic-size: auto 230px; }
  .row .verdict, .row .what { grid-column: 1 / -1; }
  .cell .label { display: block; }
  .step { grid-template-columns: 44px 1fr 1fr; gap: 8px 12px; }
  .step .verdict, .step .what { grid-column: 2 / -1; }
  .step .cell:nth-child(even) { grid-column: 2; }
  .step .cell:nth-child(odd) { grid-column: 3; }
  .step .cell:last-child { grid-column: 2 / -1; }
}
@media (max-width: 640px) {
  main { padding: 12px 12px 48px; }
  .top { padding: 8px 12px; gap: 4px 8px; }
  .tools { display: contents; }
  .liveness { margin-left: auto; font-size: .85rem; }
  .clock { font-size: .85rem; }
  .top nav { order: 1; margin-right: auto; }
  .top nav a { padding: 6px 8px; }
  .tools > :not(.liveness, .clock) { order: 2; font-size: .85rem; }
  .tools .person { display: none; }
  .tools button { padding: 4px 9px; }
  .counts { grid-template-columns: 1fr 1fr; gap: 8px; }
  .count { padding: 10px 12px; }
  .count .number { font-size: 1.5rem; }
  .search { flex-direction: column; align-items: stretch; gap: 6px; }
  .search input { max-width: none; }
  .search .utc { margin-left: 0; }
  .hero { padding: 16px; }
  .answer { gap: 12px; }
  .answer > .icon { width: 44px; height: 44px; }
  .verdict-word { font-size: 1.7rem; }
}
@media (prefers-reduced-motion: no-preference) { .chip, .row, .hero { transition: background-color .3s, border-color .3s; } }
@media print {
  :root, :root[data-theme='dark'] { color-scheme: light; --bg: #fff; --panel: #fff; --ink: #000; --dim: #444; --line: #bbb; }
  html { font-size: 12px; }
  .tools > :not(.clock), .search input, .top nav, .decide, .skip, button { display: none; }
  .clock .date { display: inline; }
  main { max-width: none; padding: 0; }
  .row { content-visibility: visible; break-inside: avoid; padding: 6px 8px; }
  .row, .columns { display: grid; grid-template-columns: 136px 2fr 1fr 1fr 1.1fr 104px; gap: 0 10px; }
  .cell .label { display: none; }
  .row .verdict, .row .what { grid-column: auto; }
  .step, .hero, details, .group-head { break-inside: avoid; }
  .chip { border: 1px solid currentColor; }
  .spark svg { width: 56px; }
  .spark { gap: 4px; }
}
`;

export const ICON = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="8" fill="#151a21"/><path d="M8 11h16M8 21h16" stroke="#fff" stroke-width="4" stroke-linecap="round"/></svg>`;
