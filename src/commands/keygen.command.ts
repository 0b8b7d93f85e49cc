import type { Command } from 'commander';
import type { CommandIo } from './io.ts';

export function addKeygenCommand(program: Command, io: CommandIo): void {
  program
    .command('keygen')
    .description('make an Ed25519 key pair for signing certificates')
    .option('--out <file>', 'the private key; the public key goes beside it with .pub', 'twinproof.key')
    .option('--force', 'replace existing files', false)
    .action(async (parsed: { readonly out: string; readonly force: boolean }) => {
      const { runKeygen } = await import('./keygen.ts');
      process.exitCode = await runKeygen(parsed, io);
    });
}
