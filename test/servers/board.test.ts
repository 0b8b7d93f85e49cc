import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ODD, TestBoard, TOKENS } from './harness/test-board.ts';

const board = new TestBoard();

beforeAll(async () => {
  await board.open();
  await board.publishAll();
});
afterAll(() => board.close());

describe('the board over HTTP', () => {
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
    expect(Object.keys(described.paths)).toEqual([
      '/api/v1/fleet',
      '/api/v1/systems/{system}',
      '/api/v1/systems/{system}/decisions',
      '/api/v1/decisions/{id}/approve',
      '/events',
      '/metrics',
      '/healthz',
      '/readyz',
    ]);
    const scrape = await board.get('/metrics', TOKENS.LEE, {
      headers: { accept: 'application/openmetrics-text' },
    });
    expect(scrape.headers.get('content-type')).toContain('application/openmetrics-text');
    expect(await scrape.text()).toContain(
      'twinproof_system_verdict{system="bank",verdict="SAFE_WITH_LOSS"} 1',
    );
  });

  it('is alive and not ready while the states cannot be read', async () => {
    const states = path.join(board.folder, 'state');
    renameSync(states, `${states}.away`);
    writeFileSync(states, 'no folder');
    await board.look();
    const asked = await Promise.all(['/healthz', '/readyz'].map((target) => board.get(target, null)));
    expect(asked.map(({ status }) => status)).toEqual([200, 503]);
    const fleet = await text('/api/v1/fleet');
    expect(fleet).not.toContain('"SAFE"');
    // Nobody has stopped watching: it is the board that cannot read.
    expect(fleet).toContain('"doubt":"unreadable"');
    expect(fleet).not.toContain('"doubt":"absent"');
    rmSync(states);
    renameSync(`${states}.away`, states);
    await board.look();
    expect((await board.get('/readyz', null)).status).toBe(200);
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
    expect((await send(TOKENS.KIM, { ...proposal, candidate: 'nobody' })).status).toBe(400);
    const made = await send(TOKENS.KIM, proposal);
    expect(made.status).toBe(201);
    const { id }: { id: string } = JSON.parse(await made.text());
    const approve = (token: string): Promise<Response> =>
      board.get(`/api/v1/decisions/${id}/approve`, token, { method: 'POST' });
    expect([(await approve(TOKENS.LEE)).status, (await approve(TOKENS.KIM)).status]).toEqual([403, 409]);
    expect([(await approve(TOKENS.PARK)).status, (await approve(TOKENS.PARK)).status]).toEqual([204, 409]);
    const kept: unknown = await (await board.get('/api/v1/systems/cards/decisions')).json();
    expect(kept).toMatchObject([
      {
        decision: 'wait',
        proposedBy: 'Kim Minji',
        approvedBy: 'Park Jun',
        shown: { verdict: 'NOT_SAFE', candidate: 'gasan' },
        shownToApprover: { verdict: 'NOT_SAFE' },
      },
    ]);
  });

  it('shows that the record of decisions was altered, records nothing more, and goes on', async () => {
    const kept = readFileSync(board.decisionFile, 'utf8');
    writeFileSync(board.decisionFile, kept.replace('eyJ', 'eyK'));
    for (const target of ['/cutover', '/systems/cards']) {
      expect(await text(target)).toMatch(/role="alert".*line 1 of \S+ was altered/s);
    }
    expect((await board.get('/api/v1/systems/cards/decisions')).status).toBe(503);
    const refused = await board.get('/api/v1/systems/cards/decisions', TOKENS.KIM, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ candidate: 'gasan', decision: 'wait', lossAccepted: '', reason: 'x' }),
    });
    expect([refused.status, await refused.text()]).toEqual([
      503,
      expect.stringContaining('nobody has decided'),
    ]);
    expect((await board.get('/api/v1/fleet')).status).toBe(200);
    writeFileSync(board.decisionFile, kept);
    expect((await board.get('/api/v1/systems/cards/decisions')).status).toBe(200);
  });

  it('leads nobody elsewhere who signs in, and back to the page that was asked for', async () => {
    const page = await board.get('/systems/bank?lang=ko', null, { headers: { accept: 'text/html' } });
    expect(page.headers.get('location')).toBe('/login?next=%2Fsystems%2Fbank%3Flang%3Dko');
    const signIn = async (next: string): Promise<string | null> => {
      const answer = await board.get('/login', null, {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded', origin: board.url },
        body: new URLSearchParams({ token: TOKENS.LEE, next }).toString(),
      });
      return answer.headers.get('location');
    };
    expect([await signIn('/systems/bank?lang=ko'), await signIn('//evil.example'), await signIn('')]).toEqual(
      ['/systems/bank?lang=ko', '/', '/'],
    );
  });
});

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
