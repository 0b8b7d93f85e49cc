import { loadConfig } from '../config/load.ts';
import { EXIT } from '../error-codes.ts';
import { exposition } from '../metrics/exposition.ts';
import { writeOutput } from '../report/output-file.ts';
import { fleetPlan, fleetView } from '../state/fleet-view.ts';
import { stateFolder } from './board.ts';
import type { SiteIo } from './io.ts';
import { toolVersion } from './version.ts';

export interface MetricsOptions {
  readonly config: string;
  /** A file for node_exporter's textfile collector; null: they are printed. */
  readonly out: string | null;
  readonly format: 'prometheus' | 'openmetrics';
}

/** `twinproof metrics`. Throws TP-CONFIG, TP-OUTPUT. */
export async function runMetrics(options: MetricsOptions, io: SiteIo): Promise<number> {
  const config = loadConfig(options.config, io.environment, { sites: false });
  const states = await stateFolder(config).read();
  const { text } = await exposition(
    fleetView(fleetPlan(config), states, io.now()),
    toolVersion(),
    options.format,
  );
  if (options.out === null) io.stdout(text);
  else await writeOutput(options.out, text);
  return EXIT.ok;
}
