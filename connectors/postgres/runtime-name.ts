/*
 * Node.js has a `navigator` from version 21 on (manual, "Global objects"). Where there is none, `pg` makes a Response when
 * it is loaded, to find out whether it runs at Cloudflare, and that loads an HTTP client: 25 ms of every start.
 */
if (!('navigator' in globalThis)) {
  const userAgent = `Node.js/${process.versions.node.split('.')[0]}`;
  Object.defineProperty(globalThis, 'navigator', { value: { userAgent }, configurable: true });
}
