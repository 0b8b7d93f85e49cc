import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { ReadinessJson } from '../../src/report/readiness-json.ts';
import { CrossPair } from '../servers/harness/cross-pair.ts';
import { type CliResult, documentOf, expectRefusal, verdictOf } from '../servers/harness/cli.ts';
import { runAsVerifier, verifierUrl } from '../servers/harness/mysql-cli.ts';
import { describeMysql } from '../servers/harness/mysql-suite.ts';

await describeMysql('the commands between PostgreSQL and %s', (flavor) => {
  let pair: CrossPair;
  let folder: string;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'twinproof-cross-'));
    pair = await CrossPair.create(flavor);
    await pair.postgres.sql(
      `CREATE TABLE orders (id int PRIMARY KEY, active boolean, created_at timestamp, note text);
       INSERT INTO orders SELECT g, g % 2 = 0, '2024-01-01'::timestamp + g * interval '1 hour', 'order ' || g
         FROM generate_series(1, 200) g;`,
    );
    const values = Array.from({ length: 200 }, (_, index) => {
      const at = new Date(Date.UTC(2024, 0, 1) + (index + 1 - 9) * 3_600_000).toISOString();
      return `(${index + 1},${(index + 1) % 2 === 0 ? 1 : 0},'${at.slice(0, 19)}','order ${index + 1}')`;
    });
    await pair.mysqlSql(
      `CREATE TABLE purchases (id int PRIMARY KEY, active tinyint(1), created_at timestamp NULL, remark varchar(60));
       INSERT INTO purchases VALUES ${values.join()};`,
    );
  }, 60_000);

  afterAll(async () => {
    await pair.end();
    rmSync(folder, { recursive: true });
  });

  const MAPPING = `      mapping:
        tables: { "public.orders": "bank.purchases" }
        columns:
          "public.orders":
            active: { as: boolean }
            created_at: { zone: Asia/Seoul }
            note: { name: remark }
`;

  function configured(mapping: string, policy = 'applyWithin: 300ms'): string {
    const file = join(folder, 'twinproof.yaml');
    writeFileSync(
      file,
      `systems:
  shop:
    primary: { url: "${pair.postgres.url('postgres', 'verifier')}" }
    candidates:
    - name: far
      url: "${verifierUrl(pair.mysql)}"
${mapping}    tables: { include: ["public.orders"] }
    policy: { ${policy} }
`,
    );
    return file;
  }

  const tool = (command: string, mapping: string, ...more: readonly string[]): Promise<CliResult> =>
    runAsVerifier([command, '--config', configured(mapping), '--format', 'json', ...more]);

  function reasonsIn(result: CliResult): string[] {
    const { reasons, tables } = documentOf(result);
    return [...reasons, ...tables.flatMap((table) => table.reasons)].map(({ code }) => code);
  }

  it('verify follows the mapping of the configuration', async () => {
    const result = await tool('verify', MAPPING);
    expect([result.code, reasonsIn(result)]).toEqual([0, ['TP-BY-TIME', 'TP-MAPPED']]);
    const text = await runAsVerifier(['verify', '--config', configured(MAPPING), '--apply-within', '2s']);
    expect(text.stdout).toContain('SAME');
    expect(text.stdout).toContain('for 2 s');
  });

  it('verify names what the mapping leaves open, or names in vain', async () => {
    const open = await tool('verify', '');
    expect([open.code, reasonsIn(open)]).toEqual([2, ['TP-BY-TIME', 'TP-TABLE-MISSING']]);
    const half = await tool('verify', MAPPING.replace('active: { as: boolean }', 'id: { as: integer }'));
    expect([half.code, reasonsIn(half)]).toEqual([3, ['TP-BY-TIME', 'TP-NO-ENCODING']]);
    const vain = await tool(
      'verify',
      MAPPING.replace('note: {', 'nought: { as: text }\n            note: {'),
    );
    expect([vain.code, reasonsIn(vain)]).toEqual([3, ['TP-BY-TIME', 'TP-MAPPING']]);
  });

  it('a mapping that is wrong in itself is refused with its line', async () => {
    const odd = await tool('verify', MAPPING.replace('Asia/Seoul', 'Mars/Olympus'));
    expect(expectRefusal(odd, 64, 'TP-CONFIG')).toMatch(/twinproof\.yaml:12:.*time zone/);
    const swapped = ['--primary', 'shop/far', '--candidate', 'shop/primary'];
    expect(expectRefusal(await tool('verify', MAPPING, ...swapped), 64, 'TP-USAGE')).toContain('maps names');
  });

  it('certify says SAFE only of equal sites that stand still, and lists what it did not look at', async () => {
    const moving = await tool('certify', MAPPING);
    expect([verdictOf(moving).verdict, moving.code]).toEqual(['UNKNOWN', 3]);
    const result = await tool('certify', MAPPING, '--quiesced');
    const { verdict, reasons, notProven } = verdictOf(result);
    expect([verdict, reasons.filter(({ effect }) => effect !== 'none')]).toEqual(['SAFE', []]);
    expect(reasons.map(({ code }) => code)).toContain('TP-BY-TIME');
    expect(notProven.map(({ code }) => code)).toContain('TP-N-FEED');
  });

  it('readiness has nothing to find above a note on sound sites, whichever of them is the candidate', async () => {
    const [postgres, other] = [pair.postgres.url('postgres', 'verifier'), verifierUrl(pair.mysql)];
    await pair.postgres.configure({ fsync: 'on' });
    await pair.postgres.reload();
    await pair.mysql.sql('SET GLOBAL sync_binlog = 1; SET GLOBAL innodb_flush_log_at_trx_commit = 1');
    for (const [primary, candidate] of [
      [postgres, other],
      [other, postgres],
    ] as const) {
      const sites = ['--primary', primary, '--candidate', candidate, '--format', 'json'];
      const result = await runAsVerifier(['readiness', ...sites]);
      const report: ReadinessJson = JSON.parse(result.stdout);
      const found = report.results.filter(
        ({ state, severity }) => state === 'fail' && severity.switchover !== 'info',
      );
      expect([report.pair, found, report.switchover.word, result.code]).toEqual([
        'cross-engine',
        [],
        'ready',
        0,
      ]);
    }
  });

  it('certify says UNKNOWN while the candidate is written to, and NOT_SAFE where a row differs', async () => {
    await pair.mysqlSql('CREATE TABLE beat (id int PRIMARY KEY, v int); INSERT INTO beat VALUES (1, 0);');
    const stop = new AbortController();
    const beating = (async (): Promise<void> => {
      while (!stop.signal.aborted) await pair.mysqlSql('UPDATE beat SET v = v + 1');
    })();
    const busy = await tool('certify', MAPPING, '--quiesced').finally(() => stop.abort());
    await beating;
    expect([verdictOf(busy).verdict, busy.code]).toEqual(['UNKNOWN', 3]);
    expect(verdictOf(busy).reasons.map(({ code }) => code)).toContain('TP-V-NOT-APPLIED');
    await pair.mysqlSql(`UPDATE purchases SET remark = 'x' WHERE id = 77`);
    const bad = await tool('certify', MAPPING, '--quiesced');
    expect([verdictOf(bad).verdict, bad.code]).toEqual(['NOT_SAFE', 2]);
  });
});
