import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { PairKind } from '../../src/connector/table.ts';
import { applies } from '../../src/readiness/rule.ts';
import { READINESS_RULES } from '../../src/readiness/rules.ts';
import { readinessRulesPage } from '../../src/report/readiness-rules.ts';

const PAGE = path.resolve(import.meta.dirname, '../../docs/readiness-rules.md');

function countOf(pair: PairKind, engine: string): number {
  return READINESS_RULES.filter((rule) => applies(rule, pair, engine)).length;
}

/** Without what a formatter does to it: to load one takes longer than all the rest. */
function plain(page: string): string {
  return page.replaceAll(/ +/g, ' ').replaceAll(/-{3,}/g, '---').replaceAll('\\', '').trim();
}

describe('the page of rules', () => {
  it('is what the rules say: twinproof readiness --rules | npx prettier --parser markdown > docs/readiness-rules.md', () => {
    expect(plain(readFileSync(PAGE, 'utf8'))).toBe(plain(readinessRulesPage(READINESS_RULES)));
  });

  it('has every rule once, in the list and with its reasons', () => {
    const page = readinessRulesPage(READINESS_RULES);
    for (const { code } of READINESS_RULES) {
      expect(page.split(`\n## ${code}\n`)).toHaveLength(2);
      expect(page.split(`| [${code}](`)).toHaveLength(2);
    }
  });

  it('covers each kind of pair', () => {
    expect(countOf('physical', 'postgres')).toBeGreaterThanOrEqual(25);
    expect(countOf('logical', 'postgres')).toBeGreaterThanOrEqual(25);
    expect(countOf('logical', 'mysql')).toBeGreaterThanOrEqual(20);
  });
});
