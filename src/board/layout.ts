import { Html, html } from '../report/html.ts';
import { WORDS } from './languages.ts';
import { LANGUAGES, type Language } from './words.ts';

/** What every page is told. */
export interface PageContext {
  readonly language: Language;
  readonly now: Date;
  /** Path and query of the page itself, for the links that change its language. */
  readonly path: string;
  readonly fleet: string | null;
  /** Who is signed in; null: nobody. */
  readonly person: { readonly name: string; readonly role: 'viewer' | 'approver' } | null;
  /** There are tokens to sign in with. */
  readonly canSignIn: boolean;
  readonly theme: 'light' | 'dark' | null;
}

/** A whole page around its main part, which is exchanged while it is open. */
export function layout(context: PageContext, title: string, main: Html, current: string): string {
  const words = WORDS[context.language];
  const link = (href: string, label: string): Html =>
    html`<a href="${href}" ${current === href ? new Html('aria-current="page"') : null}>${label}</a>`;
  const theme = context.theme === null ? null : new Html(`data-theme="${context.theme}"`);
  return html`<!doctype html>
    <html lang="${context.language}" ${theme}>
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="referrer" content="no-referrer" />
        <title>${title} · Twinproof</title>
        <link rel="icon" href="/assets/icon.svg" />
        <link rel="stylesheet" href="/assets/board.css" />
        <script src="/assets/board.js" defer></script>
      </head>
      <body
        data-ago="${words.ago('%')}"
        data-units="${words.units.join(',')}"
        ${current === '/login' ? null : new Html('data-listen')}
      >
        <a class="skip" href="#main">${words.skip}</a>
        <header class="top">
          <div class="brand">
            <strong>Twinproof</strong>${context.fleet === null ? null : html`<span>${context.fleet}</span>`}
          </div>
          <nav>${link('/', words.overview)}${link('/cutover', words.cutover)}</nav>
          <div class="tools">
            <span class="liveness" role="status" data-live="${words.live}" data-lost="${words.lost}"
              ><span class="dot"></span><span class="text">…</span></span
            >
            <span class="clock"
              ><span class="date">${context.now.toISOString().slice(0, 10)} </span
              ><time datetime="${context.now.toISOString()}" data-clock
                >${context.now.toISOString().slice(11, 19)}</time
              >
              UTC</span
            >
            ${LANGUAGES.filter((one) => one !== context.language).map(
              (one) =>
                html`<a lang="${one}" hreflang="${one}" href="${withLanguage(context.path, one)}"
                  >${WORDS[one].language}</a
                >`,
            )}
            <button type="button" class="theme" aria-label="${words.theme}" title="${words.theme}">◐</button>
            ${signing(context)}
          </div>
        </header>
        <p class="lost-banner" role="alert" hidden>${words.lostSince}</p>
        <p class="lost-banner signed-out" role="alert" hidden>
          ${words.signedOut} <a href="/login" target="_blank" rel="noopener">${words.signIn}</a>
        </p>
        <main id="main" tabindex="-1">${main}</main>
      </body>
    </html>`.text;
}

function signing({ person, canSignIn, language }: PageContext): Html | null {
  const words = WORDS[language];
  if (person !== null) {
    return html`<form method="post" action="/logout">
      <span class="person">${person.name}</span><button type="submit">${words.signOut}</button>
    </form>`;
  }
  return canSignIn ? html`<a href="/login">${words.signIn}</a>` : null;
}

function withLanguage(path: string, language: Language): string {
  const url = new URL(path, 'http://board.invalid');
  url.searchParams.set('lang', language);
  return `${url.pathname}${url.search}`;
}
