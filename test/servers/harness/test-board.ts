import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Access } from '../../../src/board/access.ts';
import { DecisionFile } from '../../../src/board/decisions.ts';
import { Live } from '../../../src/board/live.ts';
import { serveBoard, type Board } from '../../../src/board/server.ts';
import { loadPrivateKey } from '../../../src/certificate/key.ts';
import { DEFAULT_BOARD } from '../../../src/config/fleet.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { StateFolder, writeState } from '../../../src/state/file.ts';
import type { CandidateState, SystemState } from '../../../src/state/schema.ts';
import type { VerdictWord } from '../../../src/verdict/verdict.ts';
import { candidateOf, fleetYaml, stateOf } from '../../unit/board-fixture.ts';

/** A name that is HTML. */
export const ODD = '<img src=x onerror=alert(1)>';
export const TOKENS = {
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
export class TestBoard {
  readonly folder = mkdtempSync(path.join(tmpdir(), 'twinproof-board-'));
  now = new Date();
  #board: Board | null = null;
  #live: Live | null = null;
  /** 0: any. */
  #port = 0;

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
    await this.#serve();
  }

  async #serve(): Promise<void> {
    const config = loadConfig(path.join(this.folder, 'twinproof.yaml'), TOKENS, { sites: false });
    const settings = { ...DEFAULT_BOARD, ...config.board, port: this.#port };
    const now = (): Date => this.now;
    this.#live = new Live({ config, folder: new StateFolder(path.join(this.folder, 'state')), now });
    const key = await loadPrivateKey(path.join(this.folder, 'key.pem'));
    const decisions = await DecisionFile.open(this.decisionFile, key, now);
    const access = new Access(settings.tokens, () => Date.now());
    this.#board = await serveBoard(
      { config, live: this.#live, access, decisions, version: '1', now },
      settings,
    );
    this.#port = Number(new URL(this.#board.url).port);
  }

  /** Another run of the board at the same address, which knows nobody that was signed in. */
  async restart(): Promise<void> {
    await this.#board?.close();
    await this.#serve();
    await this.look();
  }

  get decisionFile(): string {
    return path.join(this.folder, 'decisions.jsonl');
  }

  async look(): Promise<void> {
    await this.#live?.look();
  }

  async publish(
    system: string,
    verdict: VerdictWord,
    more: Partial<SystemState> = {},
    ofCandidate: Partial<CandidateState> = {},
  ): Promise<void> {
    const candidate = candidateOf('gasan', verdict, ofCandidate, this.now);
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
