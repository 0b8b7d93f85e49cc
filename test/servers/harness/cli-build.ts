import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
} from 'node:fs';
import { statSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type TypeScript from 'typescript';

const REPOSITORY = join(import.meta.dirname, '..', '..', '..');
const MODULES = [
  join('src', 'digest', 'kernel.wasm'),
  join('connectors', 'mysql', 'transcode.wasm'),
  join('connectors', 'kafka', 'scan.wasm'),
];

/** AssemblyScript: another language. */
const COMPILED = new Set([
  join('src', 'digest', 'kernel'),
  join('connectors', 'mysql', 'transcode'),
  join('connectors', 'kafka', 'scan'),
]);

let program: string | null = null;

/**
 * Path of the program as it runs: `dist` when it was built after every change, else a translation of the sources into
 * a folder of our own, made once and removed with this process. A test never runs yesterday's program by accident.
 */
export function builtProgram(): string {
  program ??= isFresh() ? join(REPOSITORY, 'dist', 'src', 'cli.js') : translateAll();
  return program;
}

function sources(): string[] {
  const list = (folder: string): string[] =>
    readdirSync(join(REPOSITORY, folder), { withFileTypes: true }).flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return COMPILED.has(path) ? [] : list(path);
      return path.endsWith('.ts') && !path.endsWith('.d.ts') ? [path] : [];
    });
  return [...list('src'), ...list('connectors')];
}

function isFresh(): boolean {
  return [...sources(), ...MODULES].every((path) => {
    const target = join(REPOSITORY, 'dist', path.replace(/\.ts$/, '.js'));
    return existsSync(target) && statSync(target).mtimeMs >= statSync(join(REPOSITORY, path)).mtimeMs;
  });
}

function translateAll(): string {
  const folder = mkdtempSync(join(tmpdir(), 'twinproof-cli-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  symlinkSync(join(REPOSITORY, 'node_modules'), join(folder, 'node_modules'));
  copyFileSync(join(REPOSITORY, 'package.json'), join(folder, 'package.json'));
  // Loaded here, for most tests never get here: it takes half a second.
  const ts: typeof TypeScript = createRequire(import.meta.url)('typescript');
  for (const source of sources()) {
    const target = join(folder, 'dist', source.replace(/\.ts$/, '.js'));
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, translate(ts, readFileSync(join(REPOSITORY, source), 'utf8')));
  }
  for (const wasm of MODULES) copyFileSync(join(REPOSITORY, wasm), join(folder, 'dist', wasm));
  return join(folder, 'dist', 'src', 'cli.js');
}

function translate(ts: typeof TypeScript, text: string): string {
  return ts.transpile(text, {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.ESNext,
    rewriteRelativeImportExtensions: true,
  });
}

/** A copy of the program in `folder` that lacks files of one name: an installation that is not complete. */
export function programWithout(file: string, folder: string): string {
  const [root, copy] = [join(builtProgram(), '..', '..', '..'), join(folder, `without-${file}`)];
  mkdirSync(copy);
  copyFileSync(join(REPOSITORY, 'package.json'), join(copy, 'package.json'));
  symlinkSync(join(REPOSITORY, 'node_modules'), join(copy, 'node_modules'));
  const filter = (path: string): boolean => !path.endsWith(file);
  cpSync(join(root, 'dist'), join(copy, 'dist'), { recursive: true, filter });
  return join(copy, 'dist', 'src', 'cli.js');
}
