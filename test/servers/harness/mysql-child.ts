import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import ts from 'typescript';
import type { MysqlFlavor } from './mysql-installation.ts';

const REPOSITORY = join(import.meta.dirname, '..', '..', '..');
const HARNESS = join('test', 'servers', 'harness');
const NEEDED = /^(?:binaries|cluster-files|server-\w+|mysql-[\w-]+)\.ts$/;

/** A process of its own that made a server and now waits for its end. */
export interface MysqlOwner {
  readonly process: ChildProcess;
  /** Process id of the server. */
  readonly server: number;
  /** The server's folder. */
  readonly home: string;
  /** Ends the process and removes its program. */
  dispose(): Promise<void>;
}

/** Starts a Node process that creates a server and then sits idle: Node 20 runs no TypeScript, so it is translated. */
export async function spawnMysqlOwner(flavor: MysqlFlavor): Promise<MysqlOwner> {
  const folder = await mkdtemp(join(tmpdir(), 'twinproof-child-'));
  await symlink(join(REPOSITORY, 'node_modules'), join(folder, 'node_modules'));
  await writeFile(join(folder, 'package.json'), '{"type":"module"}');
  for (const source of await sources()) {
    const target = join(folder, source.replace(/\.ts$/, '.js'));
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, translate(await readFile(join(REPOSITORY, source), 'utf8')));
  }
  const program = `import { createMysqlServer } from './${HARNESS}/mysql-server.js';
    const server = await createMysqlServer({ flavor: '${flavor}' });
    console.log(JSON.stringify([server.pid, server.paths.home]));
    setInterval(() => undefined, 1000);`;
  await writeFile(join(folder, 'main.js'), program);
  const child = spawn(process.execPath, [join(folder, 'main.js')], { stdio: ['ignore', 'pipe', 'inherit'] });
  const failed = once(child, 'exit').then(() =>
    Promise.reject(new Error(`the owner of ${flavor} ended at once`)),
  );
  const [line]: unknown[] = await Promise.race([once(child.stdout, 'data'), failed]);
  const [server, home]: unknown[] = JSON.parse(String(line));
  return {
    process: child,
    server: Number(server),
    home: String(home),
    dispose: async () => {
      child.kill('SIGTERM');
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function sources(): Promise<string[]> {
  const own = (await readdir(join(REPOSITORY, HARNESS))).filter((name) => /^mysql-.*\.ts$/.test(name));
  const demo = (await readdir(join(REPOSITORY, 'src', 'demo'))).filter((name) => NEEDED.test(name));
  return [
    ...['errors.ts', 'error-codes.ts'].map((name) => join('src', name)),
    ...demo.map((name) => join('src', 'demo', name)),
    ...own.map((name) => join(HARNESS, name)),
  ];
}

function translate(text: string): string {
  return ts.transpile(text, {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.ESNext,
    rewriteRelativeImportExtensions: true,
  });
}
