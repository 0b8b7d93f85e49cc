import { Access } from '../board/access.ts';
import { DecisionFile } from '../board/decisions.ts';
import { Live } from '../board/live.ts';
import { serveBoard, type Board } from '../board/server.ts';
import { loadPrivateKey } from '../certificate/key.ts';
import { DEFAULT_BOARD, type StateConfig } from '../config/fleet.ts';
import { loadConfig, type Config } from '../config/load.ts';
import { EXIT } from '../error-codes.ts';
import { messageOf, TwinproofError } from '../errors.ts';
import { StateFolder } from '../state/file.ts';
import { keepLooking } from './board-looks.ts';
import type { SiteIo } from './io.ts';
import { toolVersion } from './version.ts';

export interface BoardOptions {
  readonly config: string;
  /** In place of board.listen; null: as configured. */
  readonly port: number | null;
}

/** `twinproof board`. Until it is told to stop; then the answer is the exit code. Throws TP-CONFIG, TP-BOARD, TP-KEY. */
export async function runBoard(options: BoardOptions, io: SiteIo): Promise<number> {
  // It reads what others publish, and has no business with the passwords of the sites.
  const config = loadConfig(options.config, io.environment, { sites: false });
  const folder = stateFolder(config);
  const settings = {
    ...(config.board ?? DEFAULT_BOARD),
    ...(options.port === null ? {} : { port: options.port }),
  };
  const live = new Live({ config, folder, now: io.now });
  await live.look();
  const decisions = await decisionsOf(config, io);
  const board = await serveBoard(
    {
      config,
      live,
      access: new Access(settings.tokens, () => io.now().getTime()),
      decisions,
      version: toolVersion(),
      now: io.now,
    },
    settings,
  );
  io.stderr(`board at ${board.url}\n`);
  if (decisions !== null && decisions.problem !== null) {
    io.stderr(`warning: no decision is recorded: ${decisions.problem}\n`);
  }
  try {
    await keepLooking(live, statesOf(config).path, () => renew(board, io), io.signal);
  } finally {
    await board.close();
  }
  return EXIT.ok;
}

function renew(board: Board, io: Pick<SiteIo, 'stderr'>): void {
  try {
    if (board.renewTls()) io.stderr('the certificate of the board was renewed\n');
  } catch (error) {
    io.stderr(`warning: the certificate of the board was not renewed: ${messageOf(error)}\n`);
  }
}

export function stateFolder(config: Pick<Config, 'state' | 'file'>): StateFolder {
  return new StateFolder(statesOf(config).path);
}

function statesOf({ state, file }: Pick<Config, 'state' | 'file'>): StateConfig {
  if (state !== null) return state;
  throw new TwinproofError('TP-CONFIG', {
    message: `${file} names neither a ledger nor a folder of states`,
    hint: 'add `state: { path: … }`: the folder in which `twinproof watch` writes how its systems stand',
  });
}

/** Signed with the key of the certificates; without a key nothing is recorded. */
async function decisionsOf({ board, signing }: Config, io: SiteIo): Promise<DecisionFile | null> {
  const file = board?.decisions ?? null;
  if (file === null) return null;
  if (signing === null) {
    throw new TwinproofError('TP-CONFIG', {
      message: 'decisions are to be recorded, and there is no key to sign them with',
      hint: 'add `signing: { key: … }`; `twinproof keygen` makes one',
    });
  }
  return await DecisionFile.open(file, await loadPrivateKey(signing.key), io.now);
}
