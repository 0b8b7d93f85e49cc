import type { Reading } from './reading.ts';

/** Facts of a PostgreSQL server that only its own rules look at (src/readiness/postgres-*.ts). Each is a `Reading`. */
export interface PostgresFacts {
  /** Settings as configured (`pg_settings.reset_val`), by name; absent: this version has no such setting. */
  readonly settings: Reading<Readonly<Record<string, string>>>;
}
