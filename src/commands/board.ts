import { Access } from '../board/access.ts';
import { DecisionFile } from '../board/decisions.ts';
import { Live } from '../board/live.ts';
import { serveBoard } from '../board/server.ts';
import { loadPrivateKey } from '../certificate/key.ts';
import { DEFAULT_BOARD } from '../config/fleet.ts';
import { loadConfig, type Config } from '../config/load.ts';
import { EXIT } from '../error-codes.ts';
import { TwinproofError } from '../errors.ts';
import { StateFolder } from '../state/file.ts';
import type { SiteIo } from './io.ts';
import { REAL_TIMING } from './timing.ts';
import { toolVersion } from './version.ts';

const LOOK_EVERY_MS = 1_000;

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
  const board = await serveBoard(
    {
      config,
      live,
      access: new Access(settings.tokens, () => io.now().getTime()),
      decisions: await decisionsOf(config, io),
      version: toolVersion(),
      now: io.now,
    },
    settings,
  );
  io.stderr(`board at ${board.url}\n`);
  try {
    while (!io.signal.aborted) {
      await REAL_TIMING.sleep(LOOK_EVERY_MS, io.signal).catch(() => undefined);
      if (!io.signal.aborted) await live.look();
    }
  } finally {
    await board.close();
  }
  return EXIT.ok;
}

export function stateFolder({ state, file }: Pick<Config, 'state' | 'file'>): StateFolder {
  if (state !== null) return new StateFolder(state.path);
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
