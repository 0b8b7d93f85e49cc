import { InvalidArgumentError, type Command } from 'commander';
import { notes } from './help.ts';
import type { SiteIo } from './io.ts';

interface Parsed {
  readonly config: string;
  readonly port?: number;
}

const HELP = `
One page for whoever has to decide: every system with its verdict, what would be lost, and in which order to promote. It
reads what \`twinproof watch\` publishes (state.path of the configuration, beside the ledger unless said otherwise), asks
no server, needs none of their passwords, and promotes nothing. A system whose watch has stopped turns grey.

Also there: /metrics for Prometheus, /openapi.json, /healthz, /readyz. It listens on this machine alone unless the
configuration has board.listen, board.tls and board.tokens.

Exit codes: 0 ended by a signal, 3 it cannot listen, 64 wrong usage or configuration.

Example:
  twinproof board --config twinproof.yaml`;

export function addBoardCommand(program: Command, io: SiteIo): void {
  program
    .command('board')
    .description('serve the page that says, for every system, whether to promote it and what is lost')
    .requiredOption('--config <path>', 'configuration: a file, or a folder of them')
    .option('--port <n>', 'in place of the port of board.listen (8484)', port)
    .addHelpText('after', notes(HELP))
    .action(async (parsed: Parsed) => {
      const { runBoard } = await import('./board.ts');
      process.exitCode = await runBoard({ config: parsed.config, port: parsed.port ?? null }, io);
    });
}

function port(text: string): number {
  const number = Number(text);
  if (!/^\d{1,5}$/.test(text) || number > 65_535) {
    throw new InvalidArgumentError('a port from 0 to 65535 is wanted');
  }
  return number;
}
