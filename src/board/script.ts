import { FILTER_SCRIPT } from './script-filter.ts';

/**
 * What runs in the browser: exchanges what has changed, counts ages on, filters, and says at once when the page is no
 * longer live. Without it the pages still say what they said when they were made.
 */
export const SCRIPT = `'use strict';
(() => {
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const main = $('#main');
  const clock = $('[data-clock]');
  const date = $('.clock .date');
  const liveness = $('.liveness');
  const banner = $('.lost-banner:not(.signed-out)');
  const signedOut = $('.signed-out');
  const ago = document.body.dataset.ago || '% ago';

  // The board's clock, not this machine's.
  let offset = clock ? Date.parse(clock.dateTime) - Date.now() : 0;
  const now = () => Date.now() + offset;

  const [SECONDS, MINUTES, HOURS, DAYS] = (document.body.dataset.units || ' s, min, h, d').split(',');
  const both = (count, size, large, small) =>
    Math.floor(count / size) + large + (count % size ? ' ' + (count % size) + small : '');
  const span = (ms) => {
    const s = Math.max(0, Math.round(ms / 1000));
    if (s < 60) return s + SECONDS;
    if (s < 3600) return both(s, 60, MINUTES, SECONDS);
    const m = Math.round(s / 60);
    return m < 1440 ? both(m, 60, HOURS, MINUTES) : both(Math.round(m / 60), 24, DAYS, HOURS);
  };
  const age = (root) => {
    for (const time of $$('time[data-age]', root)) {
      const text = ago.replace('%', span(now() - Date.parse(time.dateTime)));
      if (time.textContent !== text) time.textContent = text;
    }
  };

  // A thousand rows are too many to count on each second: those that are on the screen, and the rest now and then.
  const rows = new Map($$('.row[data-system]').map((row) => [row.dataset.system, row]));
  const onScreen = new Set();
  const eye = new IntersectionObserver(
    (seen) => {
      for (const { target, isIntersecting } of seen) {
        if (isIntersecting) {
          onScreen.add(target);
          age(target);
        } else onScreen.delete(target);
      }
    },
    { rootMargin: '200px' },
  );
  for (const row of rows.values()) eye.observe(row);
  const ALL_EVERY = 30;
  let ticks = 0;
  const tick = () => {
    const time = new Date(now()).toISOString();
    if (clock) clock.textContent = time.slice(11, 19);
    if (date) date.textContent = time.slice(0, 10) + ' ';
    if (document.hidden) return;
    ticks += 1;
    if (rows.size === 0 || ticks % ALL_EVERY === 0) age(document);
    else for (const row of onScreen) age(row);
  };
  // Paper cannot be opened.
  addEventListener('beforeprint', () => {
    age(document);
    for (const one of $$('details:not([open])')) {
      one.open = true;
      one.dataset.printed = '';
    }
  });
  addEventListener('afterprint', () => {
    for (const one of $$('details[data-printed]')) {
      one.open = false;
      delete one.dataset.printed;
    }
  });

  // Live or not. A page that hears nothing for a while is not live, whatever the connection says.
  const QUIET_MS = 8000;
  let heardAt = 0;
  let shownLive = null;
  const setLive = (live) => {
    if (live === shownLive) return;
    shownLive = live;
    document.body.classList.toggle('lost', !live);
    if (banner) banner.hidden = live;
    if (live && signedOut) signedOut.hidden = true;
    if (!liveness) return;
    liveness.classList.toggle('on', live);
    $('.text', liveness).textContent = live ? liveness.dataset.live : liveness.dataset.lost;
  };
  // Up to then the page has what the board has.
  let since = clock ? clock.dateTime : '';
  const heard = (at) => {
    heardAt = Date.now();
    since = at;
    offset = Date.parse(at) - Date.now();
    setLive(true);
  };

  const parse = (html) => {
    const template = document.createElement('template');
    template.innerHTML = html;
    return template.content;
  };

  // The overview exchanges rows; the other pages fetch themselves again, at most once a second.
  const summary = $('#summary');
  const count = (html) => {
    const focused = summary.contains(document.activeElement) ? document.activeElement.value : null;
    const chosen = checked();
    summary.replaceChildren(parse(html));
    for (const box of $$('input', summary)) {
      box.checked = chosen.includes(box.value);
      if (box.value === focused) box.focus();
    }
  };
  const exchange = (name, html) => {
    const row = parse(html).firstElementChild;
    const old = rows.get(name);
    if (!row || !old) return;
    const focused = old.contains(document.activeElement);
    eye.unobserve(old);
    onScreen.delete(old);
    old.replaceWith(row);
    rows.set(name, row);
    eye.observe(row);
    if (focused) $('a', row)?.focus();
  };
  const change = (data) => {
    if (summary) {
      if (data.summary) count(data.summary);
      for (const [name, html] of data.rows) exchange(name, html);
      if (filtering()) filter();
      return;
    }
    const here = $$('[data-live-system]').map((one) => one.dataset.liveSystem);
    if (main.dataset.liveAll !== undefined || $('[data-live-all]') || data.names.some((name) => here.includes(name))) again();
  };
  let wanted = false;
  let waiting = false;
  const again = async () => {
    wanted = true;
    if (waiting) return;
    waiting = true;
    while (wanted) {
      wanted = false;
      const startedAt = performance.now();
      try {
        const answer = await fetch(location.href, { headers: { 'x-part': 'main' }, credentials: 'same-origin' });
        const part = $('#changing');
        // A form that is being filled in stays as it is.
        if (answer.ok && part) {
          const next = parse(await answer.text());
          const open = $$('details[open]', part).map((one) => one.id);
          const shut = $$('details:not([open])', part).map((one) => one.id);
          const busy = part.contains(document.activeElement) && document.activeElement.matches('input,textarea,select');
          if (!busy) {
            const focus = document.activeElement?.id;
            part.replaceChildren(next);
            for (const one of $$('details', part)) {
              if (open.includes(one.id)) one.open = true;
              if (shut.includes(one.id)) one.open = false;
            }
            if (focus) document.getElementById(focus)?.focus();
            age(part);
          }
        }
      } catch { /* the stream says when the board is gone */ }
      // A page of a thousand systems is work: a tenth of the time at most goes into it.
      const rest = Math.max(1000, (performance.now() - startedAt) * 9);
      await new Promise((done) => setTimeout(done, rest));
    }
    waiting = false;
  };

  // A board that was started anew knows nobody. What is being filled in here is not thrown away: the way in is shown.
  const askWhetherSignedOut = async () => {
    try {
      const { status } = await fetch(location.href, { headers: { 'x-part': 'main' }, redirect: 'manual' });
      if (!signedOut || status !== 401 || shownLive) return;
      signedOut.hidden = false;
      banner.hidden = true;
    } catch { /* the banner says already that nobody answers */ }
  };

  // Browsers open six connections to one host: a page that nobody looks at gives its own back.
  const HUSH_MS = 5000;
  let stream = null;
  let run = null;
  const listen = () => {
    if (stream || document.hidden) return;
    const own = new EventSource('/events?since=' + encodeURIComponent(since) + (summary ? '&rows' : ''));
    stream = own;
    own.addEventListener('beat', (event) => heard(JSON.parse(event.data).at));
    own.addEventListener('change', (event) => {
      const data = JSON.parse(event.data);
      heard(data.at);
      change(data);
    });
    own.onerror = () => {
      setLive(false);
      // A refused stream is not tried again by the browser.
      if (own.readyState !== EventSource.CLOSED) return;
      stream = null;
      askWhetherSignedOut();
      setTimeout(listen, 3000);
    };
    own.addEventListener('hello', (event) => {
      // Another board answers now, with other systems perhaps. What is being filled in elsewhere is not thrown away.
      const before = run;
      run = JSON.parse(event.data).run;
      if (before === null || before === run) return;
      if (summary) location.reload();
      else again();
    });
  };
  const hush = () => {
    if (!document.hidden || !stream) return;
    stream.close();
    stream = null;
  };

${FILTER_SCRIPT}
  // The loss that is accepted is that of the candidate which is chosen, until somebody writes another.
  document.addEventListener('change', (event) => {
    if (!event.target.matches('.decide select[name=candidate]')) return;
    const loss = $('input[name=lossAccepted]', event.target.form);
    if (loss.value === loss.defaultValue) {
      loss.defaultValue = event.target.selectedOptions[0].dataset.loss;
      loss.value = loss.defaultValue;
    }
  });
  $('.theme')?.addEventListener('click', () => {
    const root = document.documentElement;
    const dark = root.dataset.theme
      ? root.dataset.theme === 'dark'
      : matchMedia('(prefers-color-scheme: dark)').matches;
    root.dataset.theme = dark ? 'light' : 'dark';
    document.cookie = 'twinproof_theme=' + root.dataset.theme + ';path=/;max-age=31536000;samesite=strict';
  });

  tick();
  setInterval(tick, 1000);
  setInterval(() => {
    if (heardAt > 0 && Date.now() - heardAt > QUIET_MS) setLive(false);
  }, 1000);
  if (box) {
    takeFilter();
    if (filtering()) filter();
  }
  if (document.body.dataset.listen !== undefined) {
    listen();
    document.addEventListener('visibilitychange', () => {
      if (document.hidden) return setTimeout(hush, HUSH_MS);
      age(document);
      listen();
    });
  }
})();
`;
