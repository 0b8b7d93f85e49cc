import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Access } from '../../src/board/access.ts';
import { DecisionFile } from '../../src/board/decisions.ts';
import { Live } from '../../src/board/live.ts';
import { serveBoard, type Board } from '../../src/board/server.ts';
import { loadPrivateKey } from '../../src/certificate/key.ts';
import { DEFAULT_BOARD } from '../../src/config/fleet.ts';
import { loadConfig } from '../../src/config/load.ts';
import { StateFolder, writeState } from '../../src/state/file.ts';
import type { SystemState } from '../../src/state/schema.ts';
import type { VerdictWord } from '../../src/verdict/verdict.ts';
import { candidateOf, fleetYaml, stateOf } from '../unit/board-fixture.ts';
import { expectCalm, expectShown, missingChromium, TestBrowser } from './harness/chromium.ts';

const ODD = '<img src=x onerror=alert(1)>';
const TOKENS = {
  KIM: 'the-token-of-kim-minji',
  PARK: 'the-token-of-park-jun',
  LEE: 'the-token-of-lee-looks',
};
const FLEET = {
  keys: 'title: "Key store", tier: "1"',
  bank: 'title: "Core banking", tier: "1", owner: "Core team", dependsOn: [keys], group: money',
  payments: 'tier: "1", dependsOn: [bank], group: money',
  cards: 'tier: "2", dependsOn: [bank]',
  crm: 'tier: "3", owner: "Sales"',
  unwatched: 'tier: "3"',
  [ODD]: `tier: "3", owner: ${JSON.stringify(ODD)}`,
};
const YAML = fleetYaml(
  FLEET,
  `fleet: { name: "Hanbit Bank", tiers: ["1", "2", "3"], groups: { money: { maxSkew: 60s } } }
state: { path: ./state }
signing: { key: ./key.pem }
board:
  decisions: ./decisions.jsonl
  tokens:
    - { name: "Kim Minji", role: approver, token: "\${KIM}" }
    - { name: "Park Jun", role: approver, token: "\${PARK}" }
    - { name: "Lee Looks", role: viewer, token: "\${LEE}" }
`,
);

/** A board over states that the tests write, with a clock that they hold. */
class TestBoard {
  readonly folder = mkdtempSync(path.join(tmpdir(), 'twinproof-board-'));
  now = new Date();
  #board: Board | null = null;
  #live: Live | null = null;

  get url(): string {
    if (this.#board === null) throw new Error('it is not open');
    return this.#board.url;
  }

  get host(): string {
    return new URL(this.url).host;
  }

  async open(): Promise<void> {
    writeFileSync(path.join(this.folder, 'twinproof.yaml'), YAML);
    const { privateKey } = generateKeyPairSync('ed25519');
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' });
    writeFileSync(path.join(this.folder, 'key.pem'), pem, { mode: 0o600 });
    const config = loadConfig(path.join(this.folder, 'twinproof.yaml'), TOKENS, { sites: false });
    const settings = { ...DEFAULT_BOARD, ...config.board, port: 0 };
    const now = (): Date => this.now;
    this.#live = new Live({ config, folder: new StateFolder(path.join(this.folder, 'state')), now });
    const key = await loadPrivateKey(path.join(this.folder, 'key.pem'));
    const decisions = await DecisionFile.open(this.decisionFile, key, now);
    const access = new Access(settings.tokens, () => Date.now());
    this.#board = await serveBoard(
      { config, live: this.#live, access, decisions, version: '1', now },
      settings,
    );
  }

  get decisionFile(): string {
    return path.join(this.folder, 'decisions.jsonl');
  }

  async look(): Promise<void> {
    await this.#live?.look();
  }

  async publish(system: string, verdict: VerdictWord, more: Partial<SystemState> = {}): Promise<void> {
    const candidate = candidateOf('gasan', verdict, {}, this.now);
    await writeState(path.join(this.folder, 'state'), stateOf(system, [candidate], more, this.now));
  }

  async publishAll(): Promise<void> {
    const verdicts = {
      keys: 'SAFE',
      bank: 'SAFE_WITH_LOSS',
      payments: 'SAFE',
      cards: 'NOT_SAFE',
      crm: 'UNKNOWN',
      [ODD]: 'SAFE',
    } as const;
    for (const [system, verdict] of Object.entries(verdicts)) await this.publish(system, verdict);
    await this.look();
  }

  async close(): Promise<void> {
    await this.#board?.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Over HTTP, as a program asks. */
  get(target: string, token: string | null = TOKENS.LEE, init: RequestInit = {}): Promise<Response> {
    const headers = {
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      ...Object.fromEntries(new Headers(init.headers)),
    };
    return fetch(`${this.url}${target}`, { redirect: 'manual', ...init, headers });
  }
}

const board = new TestBoard();
const missing = await missingChromium();

beforeAll(async () => {
  await board.open();
  await board.publishAll();
});
afterAll(() => board.close());

describe('over HTTP', () => {
  const text = async (target: string): Promise<string> => (await board.get(target)).text();

  it('answers nobody without a token, and only to its own name', async () => {
    for (const target of ['/', '/cutover', '/api/v1/fleet', '/metrics', '/events', '/openapi.json']) {
      expect((await board.get(target, null)).status).toBe(401);
      expect((await board.get(target, 'wrong-token-of-nobody')).status).toBe(401);
    }
    expect((await board.get('/', null, { headers: { accept: 'text/html' } })).headers.get('location')).toBe(
      '/login',
    );
    for (const target of ['/healthz', '/readyz']) expect((await board.get(target, null)).status).toBe(200);
    expect(await statusWithHost('evil.example')).toBe(421);
  });

  it('sends a policy that lets nothing else in, and no secret', async () => {
    for (const target of [
      '/',
      '/systems/bank',
      '/cutover',
      '/api/v1/fleet',
      '/api/v1/systems/bank',
      '/metrics',
      '/openapi.json',
    ]) {
      const answer = await board.get(target);
      expect(answer.status).toBe(200);
      expect(answer.headers.get('content-security-policy')).toMatch(
        /^default-src 'none'; script-src 'self';/,
      );
      const body = await answer.text();
      for (const token of Object.values(TOKENS)) expect(body).not.toContain(token);
      expect(body).not.toContain('postgres://');
      if (target.startsWith('/api') || target.startsWith('/open') || target === '/metrics') continue;
      expect(body).not.toContain('<img');
    }
  });

  it('gives programs the same as people, and a description of it', async () => {
    const fleet: { systems: { system: string; verdict: string; blockers: unknown[] }[] } = JSON.parse(
      await text('/api/v1/fleet'),
    );
    expect(fleet.systems.map(({ system, verdict }) => `${system} ${verdict}`)).toEqual([
      'keys SAFE',
      'bank SAFE_WITH_LOSS',
      'payments SAFE',
      'cards NOT_SAFE',
      `${ODD} SAFE`,
      'crm UNKNOWN',
      'unwatched UNKNOWN',
    ]);
    const one: unknown = await (await board.get('/api/v1/systems/bank')).json();
    expect(one).toMatchObject({ system: 'bank', best: 'gasan', state: { schema: 'twinproof.state/v1' } });
    expect((await board.get('/api/v1/systems/none')).status).toBe(404);
    const described: { paths: object } = JSON.parse(await text('/openapi.json'));
    for (const target of ['/api/v1/fleet', '/metrics', '/healthz'])
      expect(described.paths).toHaveProperty([target]);
    const scrape = await board.get('/metrics', TOKENS.LEE, {
      headers: { accept: 'application/openmetrics-text' },
    });
    expect(scrape.headers.get('content-type')).toContain('application/openmetrics-text');
    expect(await scrape.text()).toContain(
      'twinproof_system_verdict{system="bank",verdict="SAFE_WITH_LOSS"} 1',
    );
  });

  it('records what two approvers decide, signed, and refuses everybody else', async () => {
    const send = (token: string, body: object): Promise<Response> =>
      board.get('/api/v1/systems/cards/decisions', token, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
    const proposal = { candidate: 'gasan', decision: 'wait', lossAccepted: 'none', reason: 'rows differ' };
    expect((await send(TOKENS.LEE, proposal)).status).toBe(403);
    expect((await send(TOKENS.KIM, { ...proposal, decision: 'destroy' })).status).toBe(400);
    const made = await send(TOKENS.KIM, proposal);
    expect(made.status).toBe(201);
    const { id }: { id: string } = JSON.parse(await made.text());
    const approve = (token: string): Promise<Response> =>
      board.get(`/api/v1/decisions/${id}/approve`, token, { method: 'POST' });
    expect([(await approve(TOKENS.LEE)).status, (await approve(TOKENS.KIM)).status]).toEqual([403, 409]);
    expect([(await approve(TOKENS.PARK)).status, (await approve(TOKENS.PARK)).status]).toEqual([204, 409]);
    const kept: unknown = await (await board.get('/api/v1/systems/cards/decisions')).json();
    expect(kept).toMatchObject([
      { decision: 'wait', proposedBy: 'Kim Minji', approvedBy: 'Park Jun', shown: { verdict: 'NOT_SAFE' } },
    ]);
  });

  it('refuses a record of decisions that was altered', async () => {
    const lines = readFileSync(board.decisionFile, 'utf8').trimEnd().split('\n');
    const key = await loadPrivateKey(path.join(board.folder, 'key.pem'));
    const altered = path.join(board.folder, 'altered.jsonl');
    const open = (kept: readonly string[]): Promise<DecisionFile> => {
      writeFileSync(altered, kept.map((line) => `${line}\n`).join(''));
      return DecisionFile.open(altered, key, () => board.now);
    };
    expect((await open(lines)).list()).toHaveLength(1);
    await expect(open(lines.slice(1))).rejects.toMatchObject({ code: 'TP-CERTIFICATE' });
    await expect(open([(lines[0] ?? '').replace('eyJ', 'eyK'), ...lines.slice(1)])).rejects.toMatchObject({
      code: 'TP-CERTIFICATE',
    });
    writeFileSync(altered, `${lines.join('\n')}\n{"payload":"torn`);
    expect((await DecisionFile.open(altered, key, () => board.now)).list()).toHaveLength(1);
  });
});

describe.skipIf(missing !== null)(
  `in a browser${missing === null ? '' : ` (skipped: ${missing})`}`,
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
      await page.keyboard.press('Escape');
      await page.locator('.count.not').click();
      expect(
        await page
          .locator('.row:visible')
          .evaluateAll((rows) => rows.map((row) => row.getAttribute('data-system'))),
      ).toEqual(['cards']);
      await page.locator('.count.not').click();
      // Live: another verdict, without a click.
      await board.publish('keys', 'NOT_SAFE');
      await board.look();
      await expectShown(page, '.row[data-system="keys"]', 'Not safe');
      await expectShown(page, '.row[data-system="bank"]', 'Waits for: keys');
      await page.click('.row[data-system="bank"] a');
      await expectShown(page, '.hero', /Safe with loss.*34 transactions/s);
      await expectShown(page, '.candidates', 'gasan');
      await board.publish('bank', 'UNKNOWN');
      await board.look();
      await expectShown(page, '.hero[data-verdict=UNKNOWN]', 'Unknown');
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
      const printed = await page.pdf({ format: 'A4' });
      expect(printed.length).toBeGreaterThan(1000);
      expectCalm(browser, board.host);
    });
  },
);

/** `fetch` does not let a program choose the name that it asks for. */
async function statusWithHost(host: string): Promise<number | undefined> {
  const { request } = await import('node:http');
  return await new Promise((resolve, reject) => {
    request(`${board.url}/healthz`, { headers: { host } }, (answer) => {
      answer.resume();
      resolve(answer.statusCode);
    })
      .on('error', reject)
      .end();
  });
}
