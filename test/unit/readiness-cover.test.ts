import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { READINESS_RULES } from '../../src/readiness/rules.ts';

const SERVERS = path.resolve(import.meta.dirname, '../servers');

/** Within these a fault is made on a real server, found, mended, and looked for once more. */
const MENDED = new Set(['expectFault', 'expectSqlFault', 'expectSetting', 'expectGone', 'setting']);
/** Where the same stands in a table of faults. */
const TABLES = new Set(['dropped', 'added', 'codes']);

/** Found on real servers, where there is nothing to mend, with what shows that it is not always found. */
const FOUND_ONLY: Readonly<Record<string, string>> = {
  'TP-R-SYSTEM-ID': 'servers of two clusters stay such; the physical pair passes',
  'TP-R-PRIMARY-ROLE': 'the wrong server was asked; with the right one the pair passes',
  'TP-R-STABLE-IDENTITY': 'the test asks both ways',
  'TP-R-STABLE-PRIMARY': 'as TP-R-STABLE-IDENTITY',
  'TP-R-WAIVER': 'the test has a waiver that is in force and one that is not',
  'TP-R-MY-LOG-FILTERS': 'another primary has it; the pair’s own has not',
  'TP-R-MY-OWN-LOG-FILTERS': 'another candidate has it; the pair’s own has not',
  'TP-R-MY-VERSION': 'as TP-R-MY-LOG-FILTERS',
};

/** No server can be made to show it. */
const NOT_MADE: Readonly<Record<string, string>> = {
  'TP-R-UNREAD':
    'every fact that the connectors may leave unread is asked for by a rule; it guards those to come',
};

interface Cover {
  readonly found: Set<string>;
  readonly mended: Set<string>;
}

/** Codes in the server tests, by what is done with them there. */
function coverOf(files: readonly string[]): Cover {
  const cover: Cover = { found: new Set(), mended: new Set() };
  for (const file of files) {
    const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.ES2022, true);
    const walk = (node: ts.Node): void => {
      if (ts.isStringLiteralLike(node) && node.text.startsWith('TP-R-')) {
        cover.found.add(node.text);
        if (isMended(node)) cover.mended.add(node.text);
      }
      ts.forEachChild(node, walk);
    };
    walk(source);
  }
  return cover;
}

/** Whether it is what such a call is about (not something within what the call does), or stands in a table of faults. */
function isMended(node: ts.Node): boolean {
  for (let at = node; !ts.isSourceFile(at) && !ts.isArrowFunction(at); at = at.parent) {
    const { parent } = at;
    if (ts.isCallExpression(parent) && MENDED.has(parent.expression.getText())) return true;
    if (
      (ts.isPropertyAssignment(parent) || ts.isVariableDeclaration(parent)) &&
      TABLES.has(parent.name.getText())
    ) {
      return true;
    }
  }
  return false;
}

function filesOf(folder: string): readonly string[] {
  return readdirSync(folder)
    .filter((name) => /readiness.*\.test\.ts$|^mysql-faults/.test(name))
    .map((name) => path.join(folder, name));
}

describe('every rule is tried on real servers', () => {
  const { found, mended } = coverOf([...filesOf(SERVERS), ...filesOf(path.join(SERVERS, 'harness'))]);
  const codes = READINESS_RULES.map(({ code }) => code);

  it('where its fault is made, found and, once mended, no longer found', () => {
    const others = new Set([...Object.keys(FOUND_ONLY), ...Object.keys(NOT_MADE)]);
    expect(codes.filter((code) => !mended.has(code) && !others.has(code))).toEqual([]);
  });

  it('or found, or why not is said, and no more than is true', () => {
    expect(Object.keys(FOUND_ONLY).filter((code) => !found.has(code) || mended.has(code))).toEqual([]);
    expect(Object.keys(NOT_MADE).filter((code) => found.has(code) || !codes.includes(code))).toEqual([]);
  });

  it('under the code that it has', () => {
    expect([...found].filter((code) => /^TP-R-[A-Z-]+[A-Z]$/.test(code) && !codes.includes(code))).toEqual(
      [],
    );
  });
});
