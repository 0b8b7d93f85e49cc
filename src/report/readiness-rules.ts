import type { PairKind } from '../connector/table.ts';
import { severityOf, type Rule, type Words } from '../readiness/rule.ts';

/** A Markdown page of rules, in their order: what each asks and of whom, why it matters, what to do, what it rests on. */
export function readinessRulesPage(rules: readonly Rule[]): string {
  return `# Readiness rules

Printed by \`twinproof readiness --rules\` from the rules themselves.

Each rule asks for facts that the sites tell, and decides from them alone. **block** keeps a verdict from SAFE, also when
the rule could not be checked; **warn** and **info** are told and change nothing. Both are given for a planned switchover
and for a failover after the loss of the primary. _Reads_ says whose facts a rule needs: one that reads the candidate alone
is as good after the loss. A finding can be waived in the configuration, by a person, with a reason, until a day.

${rules.length} rules. The order is that of the output.

| rule | asks whether | switchover | failover | pairs | engines |
| --- | --- | --- | --- | --- | --- |
${rules.map(rowOf).join('\n')}

${rules.map(sectionOf).join('\n\n')}
`;
}

function rowOf(rule: Rule): string {
  const { switchover, failover } = severityOf(rule);
  const link = `[${rule.code}](#${rule.code.toLowerCase()})`;
  return `| ${link} | ${text(rule.title)} | ${switchover} | ${failover} | ${pairsOf(rule.pairs)} | ${enginesOf(rule)} |`;
}

function sectionOf(rule: Rule): string {
  const lines = [
    `## ${rule.code}`,
    '',
    `${sentence(rule.title)} Reads ${rule.reads.join(' and ')}.${rule.deep === true ? ' Only with `--deep`.' : ''}${rule.unwaivable === true ? ' Cannot be waived.' : ''}`,
    '',
    ...wordLines('Why', rule.why),
    ...wordLines('What to do', rule.hint),
  ];
  if (rule.docs.length > 0) lines.push(`- Rests on: ${rule.docs.map((url) => `<${url}>`).join(', ')}`);
  return lines.join('\n');
}

function wordLines(name: string, words: Words): readonly string[] {
  if (typeof words === 'string') return [`- ${name}: ${text(words)}`];
  return [
    `- ${name} (PostgreSQL): ${text(words.postgres)}`,
    `- ${name} (MySQL, MariaDB): ${text(words.mysql)}`,
  ];
}

function pairsOf(pairs: readonly PairKind[]): string {
  return pairs.length === 3 ? 'all' : pairs.join(', ');
}

function enginesOf({ engines }: Rule): string {
  return engines === undefined ? 'all' : engines.join(', ');
}

function sentence(title: string): string {
  return `${text(`${title.slice(0, 1).toUpperCase()}${title.slice(1)}`)}.`;
}

/** Characters that Markdown would take for its own. */
function text(words: string): string {
  return words.replaceAll(/[\\*_<>|]/g, String.raw`\$&`);
}
