import path from 'node:path';
import ts from 'typescript';

/**
 * The flow of ARCHITECTURE.md as rules over imports. A stage may import itself and the stages before it; stages in one
 * inner list do not know one another.
 */
const FLOW: readonly (readonly string[])[] = [
  ['config'],
  ['connector'],
  ['row'],
  ['digest'],
  ['compare', 'ledger'],
  ['lag'],
  ['readiness'],
  ['verdict'],
  ['certificate'],
  ['report'],
  ['state'],
  ['metrics'],
  ['service', 'board'],
  ['demo'],
  ['commands'],
  ['cli'],
];

const FOR_ALL = new Set(['src/errors.ts', 'src/error-codes.ts']);
const FOR_CONNECTORS = new Set(['config', 'connector', 'row', 'digest']);
const REGISTRY = 'connectors/registry.ts';
const DRIVERS = /^(pg(-.*)?|mysql2|kafkajs|@vlasky\/zongji)(\/|$)/;
const WORKER_ENTRY = /^src\/(digest|compare)\/[^/]*worker[^/]*\.ts$/;

export interface Import {
  readonly specifier: string;
  readonly dynamic: boolean;
}

/** Path from the root of the repository (forward slashes) → source text. */
export type Sources = ReadonlyMap<string, string>;

/** Every module named in `text`: import, export … from, import(), import type and the type import('…'). */
export function importsOf(file: string, text: string): readonly Import[] {
  // The scanner finds all but calls, at a tenth of the cost.
  if (!/\bimport\s*\(/.test(text)) {
    return ts
      .preProcessFile(upToLastImport(text), true, true)
      .importedFiles.map(({ fileName }) => ({ specifier: fileName, dynamic: false }));
  }
  const found: Import[] = [];
  const add = (node: ts.Node | undefined, dynamic: boolean) => {
    if (node !== undefined && ts.isStringLiteralLike(node)) found.push({ specifier: node.text, dynamic });
  };
  const walk = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) add(node.moduleSpecifier, false);
    if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node.argument.literal, false);
    if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      add(node.arguments[0], true);
    }
    ts.forEachChild(node, walk);
  };
  walk(ts.createSourceFile(file, text, ts.ScriptTarget.ES2022));
  return found;
}

/** Behind the last place that could name a module there is nothing to be scanned. */
function upToLastImport(text: string): string {
  const last = [...text.matchAll(/\b(?:from|import|require)\b[\s(]*['"`]/g)].at(-1);
  const end = last === undefined ? 0 : text.indexOf('\n', last.index + last[0].length);
  return end < 0 ? text : text.slice(0, end);
}

/** One line for each rule that is broken; none when all hold. */
export function violationsOf(sources: Sources): readonly string[] {
  const imports = new Map([...sources].map(([file, text]) => [file, importsOf(file, text)]));
  const edges = [...imports].flatMap(([file, named]) => named.map((one) => ({ file, ...one })));
  const found = edges.flatMap(({ file, specifier, dynamic }) => {
    const problem = specifier.startsWith('.')
      ? problemOfPath(file, path.posix.join(path.posix.dirname(file), specifier), dynamic)
      : problemOfPackage(file, specifier);
    return problem === null ? [] : [`${file} imports ${specifier}: ${problem}`];
  });
  return [...found, ...[...sources.keys()].flatMap(nameProblems), ...cyclesOf(imports)];
}

function nameProblems(file: string): readonly string[] {
  const found: string[] = [];
  if (/(^|\/)index\.[a-z]+$/.test(file)) found.push(`${file}: no barrel files`);
  if (/(^|[/_.-])utils?([/_.-]|$)/i.test(file)) found.push(`${file}: no utils; name what it holds`);
  if (file.startsWith('src/') && !FOR_ALL.has(file) && rankOf(stageOf(file)) < 0) {
    found.push(`${file}: belongs to no stage of the flow`);
  }
  return found;
}

/** The folder below src, or the name of a file that stands in src itself. */
function stageOf(file: string): string {
  return (file.split('/')[1] ?? '').replace(/\.ts$/, '');
}

function rankOf(stage: string): number {
  return FLOW.findIndex((stages) => stages.includes(stage));
}

function problemOfPath(from: string, to: string, dynamic: boolean): string | null {
  if (FOR_ALL.has(to)) return null;
  if (from.startsWith('connectors/')) return problemOfConnector(from, to);
  if (!from.startsWith('src/')) return null;
  if (FOR_ALL.has(from)) return 'error codes stand below every stage';
  if (to.startsWith('connectors/')) return problemOfUsingConnector(from, to, dynamic);
  if (!to.startsWith('src/')) return 'src imports only src';
  const [here, there] = [stageOf(from), stageOf(to)];
  if (here === there) return null;
  if (rankOf(there) < 0) return `${there} is no stage of the flow`;
  if (rankOf(there) === rankOf(here)) return `${here} and ${there} do not know one another`;
  return rankOf(there) > rankOf(here) ? `${there} comes after ${here}` : null;
}

function problemOfConnector(from: string, to: string): string | null {
  if (to.startsWith('src/')) {
    return FOR_CONNECTORS.has(stageOf(to)) ? null : `connectors do not know ${stageOf(to)}`;
  }
  if (!to.startsWith('connectors/')) return 'connectors import only connectors and src';
  if (from === REGISTRY || stageOf(from) === stageOf(to)) return null;
  return to === REGISTRY ? 'connectors do not know the registry' : 'connectors do not know one another';
}

function problemOfUsingConnector(from: string, to: string, dynamic: boolean): string | null {
  if (to !== REGISTRY) return 'src knows connectors only by the registry';
  if (from === 'src/cli.ts' || (dynamic && WORKER_ENTRY.test(from))) return null;
  return 'only src/cli.ts imports the registry';
}

function problemOfPackage(from: string, specifier: string): string | null {
  if (!DRIVERS.test(specifier) || !from.startsWith('src/') || stageOf(from) === 'demo') return null;
  return 'drivers are for connectors';
}

/** Type imports count: two files that need each other's types are one idea in two places. */
function cyclesOf(imports: ReadonlyMap<string, readonly Import[]>): readonly string[] {
  const cycles: string[] = [];
  const finished = new Set<string>();
  const visit = (file: string, trail: readonly string[]): void => {
    const at = trail.indexOf(file);
    if (at >= 0) {
      cycles.push(`cycle: ${[...trail.slice(at), file].join(' → ')}`);
      return;
    }
    const named = imports.get(file);
    if (finished.has(file) || named === undefined) return;
    for (const { specifier, dynamic } of named) {
      if (specifier.startsWith('.') && !dynamic) {
        visit(path.posix.join(path.posix.dirname(file), specifier), [...trail, file]);
      }
    }
    finished.add(file);
  };
  for (const file of imports.keys()) visit(file, []);
  return cycles;
}
