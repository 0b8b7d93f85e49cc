import { execFile, spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import path from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { exposition } from '../../src/metrics/exposition.ts';
import { fleetPlan, fleetView } from '../../src/state/fleet-view.ts';
import { candidateOf, fleetConfig, NOW, read, stateOf } from '../unit/board-fixture.ts';

const OPS = path.resolve(import.meta.dirname, '../../ops');
const run = promisify(execFile);

/** Of Debian's package `prometheus`. In CI what is missing must fail, not be skipped. */
const missing =
  process.env['CI'] === undefined &&
  (await run('promtool', ['--version']).then(
    () => false,
    () => true,
  ));

/** What promtool says of metrics, and its exit code. */
async function checked(metrics: string): Promise<{ readonly said: string; readonly code: number | null }> {
  const child = spawn('promtool', ['check', 'metrics'], { stdio: ['pipe', 'pipe', 'pipe'] });
  const code = new Promise<number | null>((resolve) => child.once('close', resolve));
  child.stdin.end(metrics);
  const said = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { said: said.join(''), code: await code };
}

describe.skipIf(missing)('promtool', () => {
  it('takes every metric, and finds nothing to say of its name, help and type', async () => {
    const config = fleetConfig({ 'ba"nk\\': 'tier: "1", group: money', mail: 'group: money' }, '');
    const states = new Map([
      ['mail', read(stateOf('mail', [candidateOf('gasan', 'SAFE_WITH_LOSS'), candidateOf('x', 'UNKNOWN')]))],
    ]);
    const { text: metrics } = await exposition(
      fleetView(fleetPlan(config), states, NOW),
      '1.2.3',
      'prometheus',
    );
    expect(await checked(metrics)).toEqual({ said: '', code: 0 });
    expect((await checked(`${metrics}twinproof_broken{ 1\n`)).code).not.toBe(0);
  });

  it('takes the rules, and they do what their tests say', async () => {
    const rules = await run('promtool', ['check', 'rules', 'prometheus-rules.yaml'], { cwd: OPS });
    expect(rules.stdout).toMatch(/SUCCESS: \d+ rules found/);
    const tests = await run('promtool', ['test', 'rules', 'prometheus-rules.test.yaml'], { cwd: OPS });
    expect(tests.stdout).toContain('SUCCESS');
  });
});
