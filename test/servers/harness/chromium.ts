import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core';
import { expect } from 'vitest';
import { findChromium, launchChromium } from './chromium-program.ts';

/** Why there is no browser here, or null. In CI always null: what is missing must fail there, not be skipped. */
export async function missingChromium(): Promise<string | null> {
  if (process.env['CI'] !== undefined || (await findChromium()) !== null) return null;
  return 'no Chromium on the path';
}

/** A browser, and a watch over what its pages ask for and complain of. */
export class TestBrowser {
  readonly #browser: Browser;
  /** Errors of the console and of scripts, and dialogs. */
  readonly complaints: string[] = [];
  /** Hosts that pages have asked. */
  readonly hosts = new Set<string>();

  private constructor(browser: Browser) {
    this.#browser = browser;
  }

  static async open(): Promise<TestBrowser> {
    return new TestBrowser(await launchChromium());
  }

  async page(options: BrowserContextOptions = {}): Promise<Page> {
    const context: BrowserContext = await this.#browser.newContext({ locale: 'en', ...options });
    // The machine may be slow, and other things run on it.
    context.setDefaultTimeout(90_000);
    const page = await context.newPage();
    page.on('console', (message) => {
      if (message.type() === 'error') this.complaints.push(message.text());
    });
    page.on('pageerror', (error) => this.complaints.push(error.message));
    page.on('dialog', (dialog) => {
      this.complaints.push(`dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
    page.on('request', (request) => this.hosts.add(new URL(request.url()).host));
    return page;
  }

  async close(): Promise<void> {
    await this.#browser.close();
  }
}

/** No page complained, and nobody but `host` was asked for anything. */
export function expectCalm({ complaints, hosts }: TestBrowser, host: string): void {
  expect(complaints).toEqual([]);
  expect([...hosts]).toEqual([host]);
}

/** Until the page holds the text. */
export async function expectShown(page: Page, selector: string, text: string | RegExp): Promise<void> {
  await page.locator(selector).filter({ hasText: text }).first().waitFor();
}
