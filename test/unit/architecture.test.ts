import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { importsOf, violationsOf, type Sources } from './import-rules.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const LINES_WANTED_MAX = 300;
/** Another language with its own modules. */
const ASSEMBLY_SCRIPT = /^(?:src\/digest\/kernel|connectors\/mysql\/transcode|connectors\/kafka\/scan)\//;

function readSources(folders: readonly string[]): Sources {
  const sources = new Map<string, string>();
  for (const folder of folders) {
    for (const entry of readdirSync(path.join(ROOT, folder), { recursive: true, withFileTypes: true })) {
      const file = path.relative(ROOT, path.join(entry.parentPath, entry.name)).replaceAll(path.sep, '/');
      if (!entry.isFile() || !file.endsWith('.ts') || ASSEMBLY_SCRIPT.test(file)) continue;
      sources.set(file, readFileSync(path.join(ROOT, file), 'utf8'));
    }
  }
  return sources;
}

describe('the repository', () => {
  const sources = readSources(['src', 'connectors']);

  it('flows one way', () => {
    expect(sources.size).toBeGreaterThan(10);
    expect(violationsOf(sources)).toEqual([]);
    // Every file is parsed, which takes its time on a machine that has other things to do.
  }, 30_000);

  it('has files of one idea (a warning, not a failure)', () => {
    const long = [...sources]
      .map(([file, text]) => ({ file, lines: text.split('\n').length - 1 }))
      .filter(({ lines }) => lines > LINES_WANTED_MAX);
    for (const { file, lines } of long) process.stderr.write(`long file: ${file} has ${lines} lines\n`);
    expect(sources.size).toBeGreaterThan(0);
  });
});

const violations = (files: Readonly<Record<string, string>>) => violationsOf(new Map(Object.entries(files)));

describe('the checker', () => {
  it('sees every way to name a module', () => {
    const text = `
      import a from './a.ts';
      import { b } from './b.ts';
      import type { C } from './c.ts';
      import './d.ts';
      export * from './e.ts';
      export { f } from './f.ts';
      export type { G } from './g.ts';
      type H = import('./h.ts').H;
      const i = await import('./i.ts');
      const j = () => import(\`./j.ts\`);
      // import './no.ts'
      const text = "import './no.ts'";
    `;
    expect(importsOf('x.ts', text).map(({ specifier }) => specifier)).toEqual(
      'abcdefghij'.split('').map((letter) => `./${letter}.ts`),
    );
    expect(importsOf('x.ts', text).filter(({ dynamic }) => dynamic)).toHaveLength(2);
  });

  it.each([
    ['src/verdict/a.ts', '../lag/b.ts'],
    ['src/compare/a.ts', '../connector/contract.ts'],
    ['src/compare/a.ts', './b.ts'],
    ['src/config/a.ts', '../errors.ts'],
    ['src/errors.ts', './error-codes.ts'],
    ['src/commands/a.ts', '../report/b.ts'],
    ['src/cli.ts', '../connectors/registry.ts'],
    ['src/cli.ts', './commands/verify.ts'],
    ['src/demo/a.ts', 'pg'],
    ['connectors/postgres/a.ts', 'pg'],
    ['connectors/postgres/a.ts', './sql/b.ts'],
    ['connectors/postgres/sql/a.ts', '../b.ts'],
    ['connectors/postgres/a.ts', '../../src/row/stream.ts'],
    ['connectors/registry.ts', './postgres/connector.ts'],
    ['connectors/registry.ts', '../src/connector/contract.ts'],
  ])('lets %s import %s', (file, specifier) => {
    expect(violations({ [file]: `import { x } from '${specifier}';` })).toEqual([]);
  });

  it.each([
    ['src/lag/a.ts', '../verdict/b.ts', 'verdict comes after lag'],
    ['src/config/a.ts', '../connector/table.ts', 'connector comes after config'],
    ['src/compare/a.ts', '../ledger/b.ts', 'do not know one another'],
    ['src/ledger/a.ts', '../compare/b.ts', 'do not know one another'],
    ['src/commands/a.ts', '../cli.ts', 'cli comes after commands'],
    ['src/compare/a.ts', '../strange/b.ts', 'strange is no stage'],
    ['src/compare/a.ts', '../../test/b.ts', 'src imports only src'],
    ['src/compare/a.ts', '../../connectors/postgres/b.ts', 'only by the registry'],
    ['src/cli.ts', '../connectors/postgres/b.ts', 'only by the registry'],
    ['src/commands/a.ts', '../../connectors/registry.ts', 'only src/cli.ts'],
    ['src/digest/worker.ts', '../../connectors/registry.ts', 'only src/cli.ts'],
    ['src/errors.ts', './config/duration.ts', 'below every stage'],
    ['src/compare/a.ts', 'pg', 'drivers are for connectors'],
    ['src/compare/a.ts', 'pg-copy-streams', 'drivers are for connectors'],
    ['connectors/postgres/a.ts', '../memory/b.ts', 'connectors do not know one another'],
    ['connectors/postgres/a.ts', '../registry.ts', 'do not know the registry'],
    ['connectors/postgres/a.ts', '../../src/compare/b.ts', 'connectors do not know compare'],
    ['connectors/registry.ts', '../src/compare/b.ts', 'connectors do not know compare'],
    ['connectors/postgres/a.ts', '../../test/b.ts', 'connectors import only'],
  ])('does not let %s import %s', (file, specifier, problem) => {
    for (const statement of [
      `import { x } from '${specifier}';`,
      `import type { X } from '${specifier}';`,
      `export * from '${specifier}';`,
    ]) {
      expect(violations({ [file]: statement })).toEqual([
        expect.stringMatching(new RegExp(`^${file} imports .*${problem}`)),
      ]);
    }
  });

  it('lets a worker load the registry when it runs, and nobody else', () => {
    const text = `await import('../../connectors/registry.ts');`;
    expect(violations({ 'src/digest/reading-worker.ts': text })).toEqual([]);
    expect(violations({ 'src/digest/reading.ts': text })).toHaveLength(1);
  });

  it('finds cycles', () => {
    const files = {
      'src/lag/a.ts': `import './b.ts';`,
      'src/lag/b.ts': `import type { C } from './c.ts';`,
      'src/lag/c.ts': `export * from './a.ts';`,
      'src/lag/d.ts': `import './a.ts';`,
    };
    expect(violations(files)).toEqual(['cycle: src/lag/a.ts → src/lag/b.ts → src/lag/c.ts → src/lag/a.ts']);
    expect(violations({ 'src/lag/a.ts': `import './a.ts';` })).toHaveLength(1);
  });

  it.each([
    'src/lag/index.ts',
    'src/lag/utils.ts',
    'src/lag/string-util.ts',
    'src/utils/a.ts',
    'src/strange.ts',
  ])('refuses the name %s', (file) => {
    expect(violations({ [file]: '' }).length).toBeGreaterThan(0);
  });
});
