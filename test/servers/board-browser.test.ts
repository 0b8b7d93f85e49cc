import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectCalm, expectShown, missingChromium, TestBrowser } from './harness/chromium.ts';
import { ODD, TestBoard, TOKENS } from './harness/test-board.ts';

/** Rows whose verdict lies over what stands beside it. */
const WORDS_OVER_OTHERS = `[...document.querySelectorAll('.row')]
  .filter((row) => {
    const edges = (selector) => row.querySelector(selector).getBoundingClientRect();
    return edges('.chip').right > edges('.what').left;
  })
  .map((row) => row.dataset.system)`;

/** Fields of which nobody can tell the use who does not see the page. */
const FIELDS_WITHOUT_LABEL = `[...document.querySelectorAll('main :is(input, select, textarea)')]
  .filter((one) => one.labels.length === 0)
  .map((one) => one.name)`;

const board = new TestBoard();
const missing = await missingChromium();

beforeAll(async () => {
  await board.open();
  await board.publishAll();
});
afterAll(() => board.close());

describe.skipIf(missing !== null)(
  `the board in a browser${missing === null ? '' : ` (skipped: ${missing})`}`,
  { timeout: 240_000 },
  () => {
    let browser: TestBrowser;
    beforeAll(async () => {
      browser = await TestBrowser.open();
    });
    afterAll(async () => {
      await browser.close();
    });

    async function signedIn(token: string, page: Page): Promise<Page> {
      await page.goto(`${board.url}/login`);
      await page.fill('input[name=token]', token);
      await page.click('main button[type=submit]');
      await page.waitForURL(`${board.url}/`);
      return page;
    }

    it('shows every system, goes down to one, and changes while it is open', async () => {
      const page = await signedIn(TOKENS.LEE, await browser.page());
      await expectShown(page, '.liveness', 'live');
      expect(await page.locator('.row').count()).toBe(7);
      await expectShown(page, '.row[data-system="bank"]', /Safe with loss.*at most 12\.4 s/s);
      await expectShown(page, '.row[data-system="unwatched"]', /Unknown.*nobody watches this system/s);
      await expectShown(page, '.row', ODD);
      // Filters: by what is typed, then by verdict.
      await page.keyboard.press('/');
      await page.keyboard.type('core');
      await page.locator('.row:visible').nth(1).waitFor({ state: 'detached' });
      expect(await page.locator('.row:visible').count()).toBe(1);
      expect(new URL(page.url()).search).toBe('?q=core');
      await page.keyboard.press('Escape');
      await page.locator('.count.not').click();
      expect(
        await page
          .locator('.row:visible')
          .evaluateAll((rows) => rows.map((row) => row.getAttribute('data-system'))),
      ).toEqual(['cards']);
      // Whoever is sent the address sees the same.
      await page.goto(page.url());
      await page.locator('.row:visible').nth(1).waitFor({ state: 'detached' });
      expect(await page.locator('.row:visible').getAttribute('data-system')).toBe('cards');
      await page.locator('.count.not').click();
      expect(new URL(page.url()).search).toBe('');
      // Live: another verdict, without a click.
      await board.publish('keys', 'NOT_SAFE');
      await board.look();
      await expectShown(page, '.row[data-system="keys"]', 'Not safe');
      await expectShown(page, '.row[data-system="bank"]', 'Waits for: keys');
      await page.click('.row[data-system="bank"] a');
      await expectShown(page, '.hero', /Safe with loss.*34 transactions/s);
      await expectShown(page, '.candidates', 'gasan');
      await expectShown(page, '.reasons', /Accepted by policy.*someone must answer for this loss/s);
      for (const shown of [
        'every row proven',
        'planned switchover: ready',
        '128 of 128 tables compared',
        'Lag over time',
      ])
        await expectShown(page, '#changing', shown);
      await board.publish('bank', 'UNKNOWN');
      await board.look();
      await expectShown(page, '.hero[data-verdict=UNKNOWN]', 'Unknown');
      await board.publishAll();
      expectCalm(browser, board.host);
    });

    it('names the rows that differ and what readiness has found, whatever they are called', async () => {
      await board.publish(
        'cards',
        'NOT_SAFE',
        {},
        {
          rows: {
            provenAt: null,
            unproven: [],
            unprovenTables: 0,
            dirty: '1',
            differences: 1200,
            more: true,
            tables: [{ table: ODD, differences: 1200 }],
            listed: [
              {
                table: ODD,
                kind: 'changed',
                key: `name=${ODD}`,
                digest: 'a1b2c3',
                firstSeenAt: '2026-03-01T02:00:00Z',
              },
              {
                table: 'public.card',
                kind: 'missing',
                key: 'id=7',
                digest: null,
                firstSeenAt: '2026-03-01T02:00:00Z',
              },
            ],
          },
          checked: {
            at: board.now.toISOString(),
            switchover: { word: 'ready', blocking: 0, unknown: 0, warnings: 1 },
            failover: { word: 'not-ready', blocking: 1, unknown: 0, warnings: 0 },
            findings: [
              {
                code: 'TP-R-UNLOGGED',
                state: 'fail',
                severity: { switchover: 'warn', failover: 'block' },
                subject: ODD,
                message: `${ODD} is unlogged`,
                hint: 'SET LOGGED',
              },
            ],
            count: 1,
          },
        },
      );
      await board.look();
      const page = await signedIn(TOKENS.LEE, await browser.page());
      await page.goto(`${board.url}/systems/cards`);
      await expectShown(page, '.differences', '1200+ rows differ');
      const cells = (row: number): Promise<string[]> =>
        page.locator('.differences tbody tr').nth(row).locator('td').allTextContents();
      expect((await cells(0)).slice(0, 4)).toEqual([ODD, `name=${ODD}`, 'changed', 'a1b2c3']);
      expect((await cells(1)).slice(0, 4)).toEqual(['public.card', 'id=7', 'missing on the candidate', '–']);
      await expectShown(page, '.checked', /failover: not ready \(1 check blocks\).*ago/s);
      await page.click('.checked summary');
      await expectShown(page, '.checked li', `${ODD} is unlogged`);
      await expectShown(page, '.checked li', 'planned switchover: warning, failover: blocks');
      expect(await page.locator('main img').count()).toBe(0);
      await board.publishAll();
      expectCalm(browser, board.host);
    });

    it('turns a system grey whose publisher has stopped, and itself when the board is gone', async () => {
      const page = await signedIn(TOKENS.LEE, await browser.page());
      await expectShown(page, '.liveness', 'live');
      const before = board.now;
      board.now = new Date(before.getTime() + 31_000);
      await board.look();
      await expectShown(page, '.row[data-system="keys"][data-verdict=UNKNOWN]', 'has stopped publishing');
      board.now = before;
      await board.look();
      await page.context().setOffline(true);
      await expectShown(page, '.lost-banner', 'trust none of it');
      await page.context().setOffline(false);
      await page.context().close();
      // What a browser says of a connection that it lost is no fault of the page.
      browser.complaints.splice(0);
    });

    it('shows the order to promote in, groups together, and records a decision of two', async () => {
      const page = await signedIn(TOKENS.KIM, await browser.page());
      await page.click('text=Cutover');
      expect(
        await page
          .locator('.step')
          .evaluateAll((steps) => steps.map((one) => one.getAttribute('data-system'))),
      ).toEqual(['keys', 'bank', 'payments', 'cards', ODD, 'crm', 'unwatched']);
      await expectShown(page, '.group', /Group money.*Core banking.*payments/s);
      await page.click('.step[data-system="bank"] a');
      // A label for everything that can be filled in, and no button but those of the decision.
      expect(await page.evaluate(FIELDS_WITHOUT_LABEL)).toEqual([]);
      expect(await page.locator('main button').allTextContents()).toEqual(['Record']);
      await page.check('input[value=promote]');
      await page.fill('textarea[name=reason]', 'the hall burns');
      // The page goes on changing, and what is being filled in stays.
      await board.publish('bank', 'SAFE_WITH_LOSS');
      await board.look();
      expect(await page.inputValue('textarea[name=reason]')).toBe('the hall burns');
      await page.click('.decide button');
      await expectShown(page, '.decisions', /Promote.*Kim Minji.*waits for a second approver/s);
      expect(await page.locator('.decisions button').count()).toBe(0);
      const second = await signedIn(TOKENS.PARK, await browser.page());
      await second.goto(`${board.url}/systems/bank`);
      await second.click('.decisions button');
      await expectShown(second, '.decisions', /Approved by Park Jun/);
      expectCalm(browser, board.host);
    });

    it('speaks Korean, is dark where that is wished, fits a phone and paper', async () => {
      const page = await signedIn(
        TOKENS.LEE,
        await browser.page({ locale: 'ko-KR', viewport: { width: 360, height: 740 }, colorScheme: 'dark' }),
      );
      await expectShown(page, '.row[data-system="bank"]', '손실 있음');
      for (const target of ['/', '/cutover', '/systems/bank']) {
        await page.goto(`${board.url}${target}`);
        const wide = await page.evaluate(
          'document.documentElement.scrollWidth > document.documentElement.clientWidth',
        );
        expect(wide).toBe(false);
      }
      await page.click('text=English');
      await expectShown(page, '.hero', 'Safe with loss');
      expect(await page.getAttribute('html', 'lang')).toBe('en');
      await page.goto(board.url);
      await page.setViewportSize({ width: 794, height: 1123 });
      await page.emulateMedia({ media: 'print' });
      await expectShown(page, '.clock', /\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\s+UTC/);
      expect(await page.evaluate(WORDS_OVER_OTHERS)).toEqual([]);
      // Nothing is folded away on paper.
      await page.goto(`${board.url}/systems/bank`);
      await page.evaluate(`addEventListener('beforeprint', () => {
        document.body.dataset.folded = document.querySelectorAll('details:not([open])').length;
      })`);
      expect(await page.locator('details:not([open])').count()).toBeGreaterThan(0);
      await page.pdf();
      expect(await page.getAttribute('body', 'data-folded')).toBe('0');
      expectCalm(browser, board.host);
    });

    // The last: pages of the tests before are not signed in any more either.
    it('says after a restart of the board that somebody has to sign in again, and keeps what was filled in', async () => {
      const page = await signedIn(TOKENS.KIM, await browser.page());
      await page.goto(`${board.url}/systems/bank`);
      await expectShown(page, '.liveness', 'live');
      // The loss that is accepted is that of the candidate which is chosen.
      await page.evaluate(
        "document.querySelector('select[name=candidate]').append(Object.assign(document.createElement('option'), { value: 'busan', textContent: 'busan' }))",
      );
      await page.evaluate("document.querySelector('option[value=busan]').dataset.loss = 'at most 1 h'");
      await page.selectOption('select[name=candidate]', 'busan');
      expect(await page.inputValue('input[name=lossAccepted]')).toBe('at most 1 h');
      await page.fill('textarea[name=reason]', 'the hall burns');
      await board.restart();
      await expectShown(page, '.signed-out', 'not signed in any more');
      const again = await page.context().newPage();
      await again.goto(`${board.url}/systems/bank`);
      await again.fill('input[name=token]', TOKENS.KIM);
      await again.click('main button[type=submit]');
      await again.waitForURL(`${board.url}/systems/bank`);
      await expectShown(page, '.liveness', 'live');
      await page.locator('.signed-out').waitFor({ state: 'hidden' });
      expect(await page.inputValue('textarea[name=reason]')).toBe('the hall burns');
    });
  },
);
