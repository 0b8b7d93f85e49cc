import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ts from 'typescript';

const REPOSITORY = join(import.meta.dirname, '..', '..', '..');

/** A process of its own that made a server and now waits for its end. */
export interface ServerOwner {
  readonly process: ChildProcess;
  /** Process id of the postmaster. */
  readonly postmaster: number;
  /** The server's folder. */
  readonly home: string;
  /** Ends the process and removes its program. */
  dispose(): Promise<void>;
}

/** Starts a Node process that creates a server and then sits idle: Node 20 runs no TypeScript, so it is translated. */
export async function spawnServerOwner(): Promise<ServerOwner> {
  const folder = await mkdtemp(join(tmpdir(), 'twinproof-child-'));
  await mkdir(join(folder, 'demo'));
  await symlink(join(REPOSITORY, 'node_modules'), join(folder, 'node_modules'));
  await writeFile(join(folder, 'package.json'), '{"type":"module"}');
  const names = await readdir(join(REPOSITORY, 'src', 'demo'));
  const sources = names.filter((name) => /^(binaries|cluster|server).*\.ts$/.test(name));
  for (const source of ['errors.ts', 'error-codes.ts', ...sources.map((name) => join('demo', name))]) {
    const text = await readFile(join(REPOSITORY, 'src', source), 'utf8');
    await writeFile(join(folder, source.replace(/\.ts$/, '.js')), translate(text));
  }
  const program = `import { createCluster } from './demo/cluster.js';
    const cluster = await createCluster({ version: 17 });
    console.log(JSON.stringify([cluster.pid, cluster.paths.home]));
    setInterval(() => undefined, 1000);`;
  await writeFile(join(folder, 'main.js'), program);
  const child = spawn(process.execPath, [join(folder, 'main.js')], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line]: unknown[] = await once(child.stdout, 'data');
  const [postmaster, home]: unknown[] = JSON.parse(String(line));
  return {
    process: child,
    postmaster: Number(postmaster),
    home: String(home),
    dispose: async () => {
      child.kill('SIGTERM');
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function translate(text: string): string {
  return ts.transpile(text, {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.ESNext,
    rewriteRelativeImportExtensions: true,
  });
}
