import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runBoard } from '../../src/commands/board.ts';
import { statePath } from '../../src/state/file.ts';
import type { VerdictWord } from '../../src/verdict/verdict.ts';
import { candidateOf, fleetYaml, stateOf } from '../unit/board-fixture.ts';
import { expectCalm, expectShown, missingChromium, TestBrowser } from '../servers/harness/chromium.ts';
import { until } from '../servers/harness/cli.ts';
import { Command } from '../servers/harness/command.ts';

const COUNT = 1_000;
const folder = mkdtempSync(path.join(tmpdir(), 'twinproof-board-'));
const states = path.join(folder, 'state');
const names = Array.from({ length: COUNT }, (_, index) => `system-${index}`);
const missing = await missingChromium();
let command: Command;

function publish(name: string, verdict: VerdictWord): void {
  const now = new Date();
  const state = stateOf(name, [candidateOf('gasan', verdict, {}, now)], { staleAfterMs: 3_600_000 }, now);
  const temporary = path.join(states, `.${name}.tmp`);
  writeFileSync(temporary, JSON.stringify(state));
  renameSync(temporary, statePath(states, name));
}

beforeAll(() => {
  const facts = names.map((name, index) => [name, `tier: "${index % 5}"`]);
  const config = path.join(folder, 'twinproof.yaml');
  writeFileSync(config, fleetYaml(Object.fromEntries(facts), 'state: { path: ./state }\n'));
  mkdirSync(states);
  for (const name of names) publish(name, 'SAFE');
  command = new Command((io) => runBoard({ config, port: 0 }, io));
});
afterAll(async () => {
  await command.stop();
  rmSync(folder, { recursive: true });
});

describe.skipIf(missing !== null)('a board of a thousand systems', { timeout: 240_000 }, () => {
  it('shows them all, and exchanges the one row that has changed', async () => {
    await until(() => command.stderr.includes('board at '), 'the board listens', 120_000);
    const url = /board at (\S+)/.exec(command.stderr)?.[1] ?? '';
    const browser = await TestBrowser.open();
    try {
      const page = await browser.page();
      await page.goto(url);
      await expectShown(page, '.liveness', 'live');
      expect(await page.locator('.row[data-verdict=SAFE]').count()).toBe(COUNT);
      await page.evaluate("for (const row of document.querySelectorAll('.row')) row.old = true");
      publish('system-7', 'NOT_SAFE');
      await expectShown(page, '.row[data-system="system-7"][data-verdict=NOT_SAFE]', 'Not safe');
      await expectShown(page, '.count.not', '1');
      expect(
        await page.evaluate("[...document.querySelectorAll('.row')].filter((row) => row.old).length"),
      ).toBe(COUNT - 1);
      // Far below the screen, and found by its verdict all the same.
      publish('system-994', 'NOT_SAFE');
      await expectShown(page, '.count.not', '2');
      await page.click('.count.not');
      await page.locator('.row:visible').nth(2).waitFor({ state: 'detached' });
      expect(await page.locator('.row:visible').count()).toBe(2);
      expectCalm(browser, new URL(url).host);
    } finally {
      await browser.close();
    }
  });
});
