import type { ConnectTarget } from './address.ts';
import { closeConnection, login } from './login.ts';

const CANCEL_TIMEOUT_MS = 5_000;

/**
 * Ends what a connection is doing (`KILL QUERY`, which an account may use on its own connections), over a connection
 * of its own. Settles when the server was told or cannot be; never throws, for it runs when something has already gone
 * wrong.
 */
export async function killQuery(target: ConnectTarget, connectionId: bigint): Promise<void> {
  try {
    const connection = await login(target, AbortSignal.timeout(CANCEL_TIMEOUT_MS));
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, CANCEL_TIMEOUT_MS);
      connection.query(`KILL QUERY ${connectionId}`, () => {
        clearTimeout(timer);
        resolve();
      });
    });
    await closeConnection(connection);
  } catch {
    // The statement then ends with its own time limit, or when the server notices that nobody reads.
  }
}
