import { copyFileSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';

const ROOT = path.resolve(import.meta.dirname, '../..');
const FOLDERS = ['src', 'src/config', 'src/ledger', 'src/connector', 'src/row', 'src/digest', 'test/unit'];

/** Turns the ledger and its test writer into JavaScript, for a process of its own; answers with the program's path. */
export function buildWriter(folder: string): string {
  for (const place of FOLDERS) {
    mkdirSync(path.join(folder, place), { recursive: true });
    for (const name of readdirSync(path.join(ROOT, place))) {
      const wanted =
        place === 'test/unit' ? /^ledger-(writer|fixture)\.ts$/.test(name) : /(?<!\.d)\.ts$/.test(name);
      if (!wanted) continue;
      const { outputText } = ts.transpileModule(readFileSync(path.join(ROOT, place, name), 'utf8'), {
        compilerOptions: {
          target: ts.ScriptTarget.ES2022,
          module: ts.ModuleKind.ESNext,
          rewriteRelativeImportExtensions: true,
          verbatimModuleSyntax: true,
        },
      });
      writeFileSync(path.join(folder, place, name.replace(/\.ts$/, '.js')), outputText);
    }
  }
  const kernel = 'src/digest/kernel.wasm';
  copyFileSync(path.join(ROOT, kernel), path.join(folder, kernel));
  writeFileSync(path.join(folder, 'package.json'), '{ "type": "module" }\n');
  symlinkSync(path.join(ROOT, 'node_modules'), path.join(folder, 'node_modules'));
  return path.join(folder, 'test/unit/ledger-writer.js');
}
