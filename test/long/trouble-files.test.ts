import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Cluster, createCluster } from '../servers/harness/cluster.ts';
import { createLogicalPair } from '../../src/demo/cluster-logical.ts';
import type { DifferenceDocument } from '../../src/report/verify-json.ts';
import { type CliResult, documentOf, expectFailure, expectRefusal, runCli } from '../servers/harness/cli.ts';
import { verifierOf } from '../servers/harness/readiness.ts';
import { ServerSet } from '../servers/harness/server-set.ts';

/** Of 30,000 rows: changed where id % 4 = 0, missing where id % 24 = 1, and 1,250 more than the primary has. */
const CHANGED = 7_500;
const MISSING = 1_250;
const EXTRA = 1_250;
const ROWS = 30_000;

const servers = new ServerSet();
let folder = '';
let primary: Cluster;
let candidate: Cluster;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'twinproof-files-'));
  [primary, candidate] = await Promise.all([createCluster({ version: 17 }), createCluster({ version: 17 })]);
  servers.add(primary);
  servers.add(candidate);
  const schema = `CREATE TABLE deal (id bigint PRIMARY KEY, amount numeric(12,2), memo text);
    CREATE TABLE other (id bigint PRIMARY KEY)`;
  for (const cluster of [primary, candidate]) {
    await cluster.createDatabase('bank');
    await cluster.query('bank', verifierOf(17) + schema);
  }
  await primary.query(
    'bank',
    `INSERT INTO deal SELECT g, g * 1.5, 'whisper-' || g FROM generate_series(1, ${ROWS}) g; ANALYZE`,
  );
  await createLogicalPair(primary, candidate, { database: 'bank', tables: ['deal', 'other'] });
  await candidate.query(
    'bank',
    `UPDATE deal SET memo = 'altered-' || id WHERE id % 4 = 0; DELETE FROM deal WHERE id % 24 = 1;
     INSERT INTO deal SELECT ${ROWS} + g, 0, 'whisper-' || g FROM generate_series(1, ${EXTRA}) g; ANALYZE`,
  );
});

afterAll(async () => {
  await servers.end();
  rmSync(folder, { recursive: true, force: true });
});

let at = '';

beforeEach(() => {
  at = mkdtempSync(join(folder, 'test-'));
});

function verify(...more: readonly string[]): Promise<CliResult> {
  const sites = [
    '--primary',
    primary.url('bank', 'verifier'),
    '--candidate',
    candidate.url('bank', 'verifier'),
  ];
  return runCli(['verify', ...sites, ...more], { cwd: at });
}

/** A file system of 64 KiB; null where none can be mounted. */
function tinyDisk(): string | null {
  const path = join(at, 'tiny');
  mkdirSync(path);
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tiny', path], { stdio: 'ignore' });
  return status === 0 ? path : null;
}

describe('ten thousand differences', () => {
  test('are all in the file of differences, counted exactly, sampled in the result', async () => {
    const result = await verify('--format', 'json', '--differences', 'rows.jsonl', '--out', 'result.json');
    expect(result.code).toBe(2);
    const [deal, other] = documentOf(result).tables;
    expect(other?.outcome).toBe('same');
    expect(deal?.rows).toEqual({ primary: String(ROWS), candidate: String(ROWS - MISSING + EXTRA) });
    const counts = { missing: String(MISSING), extra: String(EXTRA), changed: String(CHANGED) };
    expect(deal?.differences).toEqual(counts);
    expect(deal?.samples).toHaveLength(20);

    const path = join(at, 'rows.jsonl');
    expect(statSync(path).mode & 0o077).toBe(0);
    const rows = readFileSync(path, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line): DifferenceDocument => JSON.parse(line));
    const ids = (kind: string): Set<number> =>
      new Set(rows.filter((row) => row.kind === kind).map(({ key }) => Number(key['id'])));
    expect(rows).toHaveLength(CHANGED + MISSING + EXTRA);
    expect([ids('changed').size, ids('missing').size, ids('extra').size]).toEqual([CHANGED, MISSING, EXTRA]);
    expect([...ids('changed')].every((id) => id % 4 === 0)).toBe(true);
    expect([...ids('missing')].every((id) => id % 24 === 1)).toBe(true);
    expect([...ids('extra')].every((id) => id > ROWS)).toBe(true);
    expect(rows.every((row) => row.kind !== 'changed' || row.columns?.join() === 'memo')).toBe(true);
    expect(readFileSync(join(at, 'result.json'), 'utf8')).toBe(result.stdout);
  });

  test('show no cell value unless asked to, anywhere', async () => {
    const silent = await verify('--differences', 'silent.jsonl', '--all');
    const printed = [silent.stdout, silent.stderr, readFileSync(join(at, 'silent.jsonl'), 'utf8')];
    expect(printed.join('')).not.toMatch(/whisper|altered/);
    expect(silent.stdout).toContain('memo');

    const open = await verify('--show-values', '--format', 'json', '--differences', 'open.jsonl');
    const changed = documentOf(open).tables[0]?.samples.find(({ kind }) => kind === 'changed');
    const id = changed?.key['id'];
    expect(changed?.values).toEqual({ memo: { primary: `whisper-${id}`, candidate: `altered-${id}` } });
    expect(readFileSync(join(at, 'open.jsonl'), 'utf8')).toContain('"altered-40"');
  });
});

describe('an output file that cannot be written gives 3 and leaves nothing behind', () => {
  test.each(['none/result.json', '/dev/full'])('--out %s, but the answer is printed', async (path) => {
    const result = await verify('--out', path);
    expect(expectFailure(result, 3, 'TP-OUTPUT')).toMatch(/does not exist|no space is left/);
    expect(result.stdout).toContain('DIFFERENT');
    expect(readdirSync(at)).toEqual([]);
  });

  test.each([
    ['--differences', 'none/rows.jsonl'],
    ['--state', 'none/state.json'],
  ])('%s in a folder that does not exist', async (option, path) => {
    const refusal = expectRefusal(await verify(option, path), 3, 'TP-OUTPUT');
    expect(refusal).toContain('its folder does not exist');
    expect(readdirSync(at)).toEqual([]);
  });

  test('--differences on a device that is full', async () => {
    const result = await verify('--differences', '/dev/full');
    expect(expectRefusal(result, 3, 'TP-OUTPUT')).toContain('no space is left');
  });

  test('on a disk that fills up while differences are written', async ({ skip }) => {
    const disk = tinyDisk();
    skip(disk === null, 'no file system can be mounted here');
    if (disk === null) return;
    try {
      for (const [option, name] of [
        ['--differences', 'rows.jsonl'],
        ['--state', 'state.json'],
      ] as const) {
        writeFileSync(join(disk, 'ballast'), Buffer.alloc(option === '--state' ? 64 * 1024 : 16));
        const result = await verify(option, join(disk, name));
        expect(expectRefusal(result, 3, 'TP-OUTPUT')).toContain('no space is left');
        expect(readdirSync(disk)).toEqual(['ballast']);
      }
    } finally {
      spawnSync('umount', [disk], { stdio: 'ignore' });
    }
  });

  test('over an older result, which stays as it was', async () => {
    writeFileSync(join(at, 'result.json'), 'older');
    mkdirSync(join(at, 'folder'));
    expect(expectFailure(await verify('--out', 'folder'), 3, 'TP-OUTPUT')).toContain('it is a folder');
    expect((await verify('--out', 'result.json')).code).toBe(2);
    expect(JSON.parse(readFileSync(join(at, 'result.json'), 'utf8'))).toMatchObject({ outcome: 'different' });
  });
});

describe('a state file that cannot be used is refused with 64 and left alone', () => {
  test.each([
    ['no JSON', 'garbage{'],
    ['another program’s', '{"version":4,"resources":[]}'],
    ['of another version', '{"schema":"twinproof.state/v0","subject":"","tables":[]}'],
    ['with a row count that is none', '{"schema":"twinproof.state/v1","subject":"","tables":[{"table":1}]}'],
    ['binary', '\u0000\u0001\ufffd'],
    ['empty', ''],
  ])('%s', async (_, content) => {
    const path = join(at, 'state.json');
    writeFileSync(path, content);
    expect(expectRefusal(await verify('--state', path), 64, 'TP-STATE')).toContain('state.json');
    expect(readFileSync(path, 'utf8')).toBe(content);
  });

  test('a folder', async () => {
    expect(expectRefusal(await verify('--state', at), 64, 'TP-STATE')).toContain('cannot be read');
  });

  test('of other sites, another database or another scope', async () => {
    expect((await verify('--state', 'state.json', '--tables', 'other')).code).toBe(0);
    expect(existsSync(join(at, 'state.json'))).toBe(true);
    const scope = await verify('--state', 'state.json', '--tables', 'deal');
    expect(expectRefusal(scope, 64, 'TP-STATE')).toContain('other sites or another scope');
    expect((await verify('--state', 'state.json', '--tables', 'other')).code).toBe(0);
    await candidate.restart();
    const restarted = await verify('--state', 'state.json', '--tables', 'other');
    expect(expectRefusal(restarted, 64, 'TP-STATE')).toContain('other sites or another scope');
  });
});
