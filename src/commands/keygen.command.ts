import type { Command } from 'commander';
import { notes } from './help.ts';
import type { CommandIo } from './io.ts';

const HELP = `
Exit codes: 0 both files are written, 3 one of them exists already or cannot be written.`;

export function addKeygenCommand(program: Command, io: CommandIo): void {
  program
    .command('keygen')
    .description('make an Ed25519 key pair for signing certificates')
    .option('--out <file>', 'the private key; the public key goes beside it with .pub', 'twinproof.key')
    .option('--force', 'replace existing files', false)
    .addHelpText('after', notes(HELP))
    .action(async (parsed: { readonly out: string; readonly force: boolean }) => {
      const { runKeygen } = await import('./keygen.ts');
      process.exitCode = await runKeygen(parsed, io);
    });
}
