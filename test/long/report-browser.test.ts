import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Cluster, createCluster } from '../servers/harness/cluster.ts';
import { createStandby, waitForReplay } from '../../src/demo/cluster-standby.ts';
import { missingChromium, TestBrowser } from '../servers/harness/chromium.ts';
import { runCli } from '../servers/harness/cli.ts';
import { editStandby, relationPath, replaceInRelation } from '../servers/harness/heap.ts';
import { verifierOf } from '../servers/harness/readiness.ts';
import { ServerSet } from '../servers/harness/server-set.ts';

const VERSION = 17;
/** Shorter than a name may be, and what a browser would obey. */
const ODD = '<img src=//evil.example/x onerror=alert(1)>';
const VALUE = '"><script src=//evil.example/y></script>';
const COMMANDS = ['verify', 'certify', 'readiness'] as const;
/** Texts and what they stand on, as the browser paints them. */
const FAINT = `(() => {
  const channels = (colour) => colour.match(/[\\d.]+/g).slice(0, 3).map(Number);
  const light = (colour) => channels(colour)
    .map((one) => (one / 255 <= 0.04045 ? one / 255 / 12.92 : ((one / 255 + 0.055) / 1.055) ** 2.4))
    .reduce((sum, one, index) => sum + one * [0.2126, 0.7152, 0.0722][index], 0);
  const paper = light(getComputedStyle(document.body).backgroundColor);
  return [...document.querySelectorAll('h1, h3, dt, dd, th, td, summary, footer')].filter((one) => {
    const ink = light(getComputedStyle(one).color);
    return (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05) < 4.5;
  }).map((one) => one.outerHTML);
})()`;
const IS_WIDE = 'document.documentElement.scrollWidth > document.documentElement.clientWidth';

const missing = await missingChromium();
const servers = new ServerSet();
const folder = mkdtempSync(path.join(tmpdir(), 'twinproof-html-'));

describe.skipIf(missing !== null)(
  `a result as HTML, in a browser${missing === null ? '' : ` (skipped: ${missing})`}`,
  { timeout: 240_000 },
  () => {
    let browser: TestBrowser;

    beforeAll(async () => {
      const settings = { autovacuum: 'off' };
      const primary = servers.add(await createCluster({ version: VERSION, settings }));
      await primary.sql(verifierOf(VERSION));
      await primary.sql(`CREATE TABLE "${ODD}" (id text PRIMARY KEY, note text);
        INSERT INTO "${ODD}" VALUES ('${VALUE}', 'one note'), ('b', 'two notes');
        CREATE UNLOGGED TABLE "cache ${ODD}" (id int PRIMARY KEY)`);
      await primary.sql('VACUUM (FREEZE, ANALYZE)');
      const standby = servers.add(await createStandby(primary, { settings }));
      const heap = await relationPath(primary, 'postgres', `"${ODD}"`);
      await editStandby(primary, standby, (target) =>
        replaceInRelation(target, heap, Buffer.from('one note'), Buffer.from('0ne note'), { count: 1 }),
      );
      await waitForReplay(standby);
      for (const command of COMMANDS) await keep(command, primary, standby);
      browser = await TestBrowser.open();
      // Two servers and, where it is not built yet, the program.
    }, 300_000);

    afterAll(async () => {
      await browser?.close();
      await servers.end();
      rmSync(folder, { recursive: true, force: true });
    });

    async function opened(command: string, options: BrowserContextOptions = {}): Promise<Page> {
      const page = await browser.page(options);
      await page.goto(pathToFileURL(fileOf(command)).href);
      return page;
    }

    /** It has asked for nothing but itself, and nothing in it has run or failed. */
    function expectAlone(): void {
      expect([browser.complaints, [...browser.hosts]]).toEqual([[], ['']]);
    }

    it('says what the command found, identifiers and values as text, and asks nobody for anything', async () => {
      const page = await opened('verify');
      await page.locator('h1', { hasText: 'rows are different' }).waitFor();
      const cells = await page.locator('td').allTextContents();
      expect(cells).toContain(`public.${ODD}`);
      expect(cells).toContain(JSON.stringify({ id: VALUE }));
      const verdict = await opened('certify');
      await verdict.locator('h1', { hasText: 'NOT_SAFE' }).waitFor();
      expect(await verdict.locator('td', { hasText: `public.${ODD}` }).count()).toBeGreaterThan(0);
      const checks = await opened('readiness');
      await checks.locator('h1', { hasText: 'not ready for switchover' }).waitFor();
      await checks.locator('td', { hasText: 'TP-R-UNLOGGED' }).first().waitFor();
      for (const one of [page, verdict, checks]) {
        expect(await one.locator('img, script, link, iframe').count()).toBe(0);
        await one.click('summary');
        await one.locator('pre', { hasText: '"schema": "twinproof.' }).waitFor();
      }
      expectAlone();
    });

    it.each(COMMANDS)('can be read by day and night, on a phone and on paper: %s', async (command) => {
      const [day, night, phone] = await Promise.all([
        opened(command, { colorScheme: 'light' }),
        opened(command, { colorScheme: 'dark' }),
        opened(command, { viewport: { width: 360, height: 740 } }),
      ]);
      expect(await day.evaluate(FAINT)).toEqual([]);
      expect(await night.evaluate(FAINT)).toEqual([]);
      const ground = 'getComputedStyle(document.body).backgroundColor';
      expect(await night.evaluate(ground)).not.toBe(await day.evaluate(ground));
      expect(await phone.evaluate(IS_WIDE)).toBe(false);
      await night.emulateMedia({ media: 'print', colorScheme: 'dark' });
      expect(await night.evaluate(ground)).toBe('rgb(255, 255, 255)');
      expect(await night.locator('details').isVisible()).toBe(false);
      expectAlone();
      for (const page of [day, night, phone]) await page.context().close();
    });
  },
);

function fileOf(command: string): string {
  return path.join(folder, `${command}.html`);
}

async function keep(command: string, primary: Cluster, standby: Cluster): Promise<void> {
  const url = (cluster: Cluster): string => cluster.url('postgres', 'verifier');
  const sites = ['--primary', url(primary), '--candidate', url(standby)];
  const { stdout, stderr } = await runCli([command, ...sites, '--format', 'html']);
  if (stdout === '') throw new Error(stderr);
  writeFileSync(fileOf(command), stdout);
}
