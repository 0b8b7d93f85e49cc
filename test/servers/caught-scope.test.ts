import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ServerPair } from './harness/server-pair.ts';
import { differing, type Found, SAME, Verifier } from './harness/verify.ts';

/** A table of which nothing is known but why. */
function withoutRows(outcome: string, ...reasons: string[]): Found {
  return { ...SAME, outcome, reasons };
}

const THREE = `SELECT g, 'row ' || g FROM generate_series(1, 3) g`;

/** Tables that a reader without special rights may read wholly, in part, or not at all. */
const GUARDED = `CREATE ROLE reader LOGIN; CREATE SCHEMA vault;
  CREATE TABLE open (id int PRIMARY KEY, v text); CREATE TABLE closed (id int PRIMARY KEY, v text);
  CREATE TABLE columnwise (id int PRIMARY KEY, v text); CREATE TABLE hidden (id int PRIMARY KEY, v text);
  CREATE TABLE vault.safe (id int PRIMARY KEY, v text);
  CREATE TABLE parted (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
  CREATE TABLE parted_low PARTITION OF parted FOR VALUES FROM (0) TO (2);
  CREATE TABLE parted_high PARTITION OF parted DEFAULT;
  GRANT SELECT ON open, hidden, vault.safe, parted, parted_low TO reader; GRANT SELECT (id, v) ON columnwise TO reader;
  ALTER TABLE hidden ENABLE ROW LEVEL SECURITY; CREATE POLICY few ON hidden USING (id < 3);`;

const GUARDED_NAMES = ['open', 'closed', 'columnwise', 'hidden', 'vault.safe', 'parted'];
const GUARDED_ROWS = GUARDED_NAMES.map((name) => `INSERT INTO ${name} ${THREE};`).join('\n');

const GUARDED_FOUND = {
  open: SAME,
  closed: withoutRows('unproven', 'TP-T-PERMISSION'),
  columnwise: withoutRows('unproven', 'TP-T-PERMISSION'),
  hidden: withoutRows('unproven', 'TP-T-ROW-SECURITY'),
  'vault.safe': withoutRows('unproven', 'TP-T-PERMISSION'),
  parted: withoutRows('unproven', 'TP-T-PERMISSION'),
};

async function findAsReader(pair: ServerPair): Promise<Record<string, Found>> {
  const reader = await Verifier.open(pair.primary, pair.candidate, { user: 'reader' });
  try {
    return Object.fromEntries(await reader.findTwice(GUARDED_NAMES));
  } finally {
    await reader.close();
  }
}

describe('on a logical pair', () => {
  let pair: ServerPair;
  beforeAll(async () => {
    pair = await ServerPair.logical({
      schema: `${GUARDED} CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE u (id int PRIMARY KEY, v text);
        CREATE TABLE w (id int PRIMARY KEY, v text); CREATE TABLE x (id int, v text); CREATE TABLE y (id int, v text);
        CREATE TABLE z (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
        CREATE TABLE z_all PARTITION OF z DEFAULT; CREATE TABLE gone (id int PRIMARY KEY, v text);`,
      publicationOptions: 'publish_via_partition_root = true',
    });
    const tables = ['t', 'u', 'w', 'x', 'y', 'z', 'gone'].map((name) => `INSERT INTO ${name} ${THREE};`);
    await pair.write(GUARDED_ROWS + tables.join('\n'));
  });
  afterAll(() => pair?.end());

  test('a table that one site lacks is a difference, whichever site it is', async () => {
    await pair.tamper('DROP TABLE gone; CREATE TABLE surplus (id int)');
    const result = await pair.verifier.run(['gone', 'surplus', 't']);
    const found = await pair.verifier.findTwice(['gone', 'surplus', 't']);
    expect(result.outcome).toBe('different');
    expect(Object.fromEntries(found)).toEqual({
      gone: withoutRows('different', 'TP-TABLE-MISSING'),
      surplus: withoutRows('different', 'TP-TABLE-EXTRA'),
      t: SAME,
    });
  });

  test('a column that the subscriber lacks is a difference, and one of its own is said', async () => {
    await pair.tamper('ALTER TABLE u DROP COLUMN v; ALTER TABLE w ADD COLUMN mine int DEFAULT 7');
    expect(await pair.verifier.find('u')).toEqual(withoutRows('different', 'TP-COLUMN-MISSING'));
    expect(await pair.verifier.find('w')).toEqual({ ...SAME, reasons: ['TP-COLUMN-EXTRA'] });
    await pair.tamper(`UPDATE w SET v = 'x' WHERE id = 2`);
    expect(await pair.verifier.find('w')).toEqual({
      ...differing({ changed: 1 }, ['changed id=2: v']),
      reasons: ['TP-COLUMN-EXTRA'],
    });
  });

  test('a column of another type is never the same', async () => {
    await pair.tamper('ALTER TABLE x ALTER COLUMN id TYPE bigint');
    expect(await pair.verifier.find('x')).toEqual(withoutRows('unproven', 'TP-COLUMN-TYPE'));
  });

  test('what a reader may not see whole is unproven by name, and the rest is proven', async () => {
    expect(await findAsReader(pair)).toEqual(GUARDED_FOUND);
    const reader = await Verifier.open(pair.primary, pair.candidate, { user: 'reader' });
    const { outcome, tables } = await reader.run(['open', 'closed', 'hidden']);
    await reader.close();
    expect(outcome).toBe('unproven');
    const reasons = tables.flatMap((table) => table.reasons.map(({ message }) => message));
    expect(reasons.toSorted((a, b) => (a < b ? -1 : 1))).toEqual([
      'role reader may not read public.closed (on the primary)',
      'row-level security would hide rows of public.hidden from role reader (on the primary)',
    ]);
  });

  test('rows that only the subscriber hides from the reader leave the table unproven', async () => {
    await pair.tamper(
      'ALTER TABLE open ENABLE ROW LEVEL SECURITY; ALTER TABLE open FORCE ROW LEVEL SECURITY',
    );
    expect((await findAsReader(pair))['open']).toEqual(withoutRows('unproven', 'TP-T-ROW-SECURITY'));
    await pair.tamper(
      'ALTER TABLE open NO FORCE ROW LEVEL SECURITY; ALTER TABLE open DISABLE ROW LEVEL SECURITY',
    );
  });

  test.each(['t', 'y', 'z'])('a table emptied between planning and reading differs (%s)', async (table) => {
    const name = (n: number): string => (table === 'y' ? 'missing *' : `missing id=${n}`);
    for (const statement of ['DELETE FROM', 'TRUNCATE']) {
      for (const restless of [false, true]) {
        await pair.tamper(`TRUNCATE ${table}; INSERT INTO ${table} ${THREE}`);
        expect(await pair.verifier.find(table)).toEqual(SAME);
        const undo = afterPlanning(pair, () => pair.tamper(`${statement} ${table}`));
        const found = await pair.verifier.find(table, { restless }).finally(undo);
        expect(found).toEqual(differing({ missing: 3 }, [1, 2, 3].map(name)));
      }
    }
  });

  test.each(['t', 'y'])('a table emptied after it was read is read again (%s)', async (table) => {
    await pair.tamper(`TRUNCATE ${table}; INSERT INTO ${table} ${THREE}`);
    const { primary } = pair.verifier;
    const read = primary.readRange.bind(primary);
    let emptied: Promise<void> | null = null;
    // The candidate is read before the primary, to its end.
    primary.readRange = async (...args) => {
      await read(...args);
      await (emptied ??= pair.tamper(`TRUNCATE ${table}`));
    };
    const found = await pair.verifier
      .find(table, { restless: true })
      .finally(() => (primary.readRange = read));
    expect(found).toMatchObject({ outcome: 'different', missing: 3 });
  });

  test('patterns that name nothing, and a scope that is empty, prove nothing', async () => {
    const unmatched = await pair.verifier.run(['closed', 'nosuch']);
    const empty = await pair.verifier.run(['z'], { exclude: ['z'] });
    expect([unmatched.outcome, unmatched.reasons.map(({ code }) => code)]).toEqual([
      'unproven',
      ['TP-PATTERN-UNMATCHED'],
    ]);
    expect(empty.outcome).toBe('unproven');
    expect(empty.reasons.map(({ code }) => code)).toContain('TP-EMPTY-SCOPE');
  });
});

describe('on a physical pair', () => {
  let pair: ServerPair;
  beforeAll(async () => {
    pair = await ServerPair.physical({
      schema: `${GUARDED} ${GUARDED_ROWS} CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t ${THREE};
        CREATE UNLOGGED TABLE quick (id int PRIMARY KEY, v text); CREATE MATERIALIZED VIEW seen AS SELECT * FROM t;`,
    });
  });
  afterAll(() => pair?.end());

  test('what a reader may not see whole is unproven by name, and the rest is proven', async () => {
    expect(await findAsReader(pair)).toEqual(GUARDED_FOUND);
  });

  test('an unlogged table is unproven, and a materialized view is compared', async () => {
    expect(await pair.verifier.find('quick')).toEqual(withoutRows('unproven', 'TP-T-UNLOGGED'));
    expect(await pair.verifier.find('seen')).toEqual(SAME);
  });

  test('a table emptied on the primary between planning and reading is the same', async () => {
    for (const restless of [false, true]) {
      await pair.write(`INSERT INTO t ${THREE} ON CONFLICT DO NOTHING`);
      const undo = afterPlanning(pair, () => pair.write('TRUNCATE t'));
      expect(await pair.verifier.find('t', { restless }).finally(undo)).toEqual(SAME);
    }
  });
});

/** Does something once, as soon as one of the sites has planned its ranges; the answer ends that. */
function afterPlanning(pair: ServerPair, act: () => Promise<void>): () => void {
  const { primary, candidate } = pair.verifier;
  let acting: Promise<void> | null = null;
  const undo = [primary, candidate].map((site) => {
    const plan = site.planRanges.bind(site);
    site.planRanges = async (...args) => {
      const ranges = await plan(...args);
      await (acting ??= act());
      return ranges;
    };
    return () => {
      site.planRanges = plan;
    };
  });
  return () => {
    for (const one of undo) one();
  };
}
