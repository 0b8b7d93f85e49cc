import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { ConnectorSettings, SourceEngine } from '../../connectors/kafka/connect-field.ts';
import { declaredFields, layoutOf } from '../../connectors/kafka/layout.ts';
import { BINARY_MODES, DECIMAL_MODES, TIME_MODES } from '../../src/config/topics.ts';

const PAGE = readFileSync(new URL('../../docs/kafka-types.md', import.meta.url), 'utf8');
/** Each setting with every other that one column's outcome depends on. */
const EVERY: readonly ConnectorSettings[] = TIME_MODES.flatMap((times) =>
  BINARY_MODES.flatMap((binary, index) => {
    const decimals = DECIMAL_MODES[index % DECIMAL_MODES.length] ?? 'precise';
    return [
      { decimals, times, binary, dates: null },
      { decimals, times, binary, dates: 'ordinary' as const },
    ];
  }),
);

interface Line {
  readonly engine: SourceEngine;
  readonly types: readonly string[];
  readonly setting: string;
  readonly outcome: string;
}

function linesOf(heading: string, engine: SourceEngine): Line[] {
  const section = PAGE.slice(PAGE.indexOf(`## ${heading}`)).slice(3);
  const end = section.indexOf('\n## ');
  const rows = (end < 0 ? section : section.slice(0, end)).split('\n').filter((row) => row.startsWith('| `'));
  return rows.map((row) => {
    const [, types = '', setting = '', outcome = ''] = row.split('|').map((cell) => cell.trim());
    return { engine, types: [...types.matchAll(/`([^`]+)`/g)].map(([, one = '']) => one), setting, outcome };
  });
}

/** Settings that a line speaks of: alternatives, each of which may ask for several. */
function settingsOf(setting: string): readonly ConnectorSettings[] {
  if (setting === 'any') return EVERY;
  if (setting === '`dates` not said') return EVERY.filter(({ dates }) => dates === null);
  return setting.split(', ').flatMap((alternative) => {
    const wanted = [...alternative.matchAll(/`(\w+): (\w+)`/g)];
    return EVERY.filter((one) =>
      wanted.every(([, name = '', value]) => new Map(Object.entries(one)).get(name) === value),
    );
  });
}

function outcomeOf(engine: SourceEngine, type: string, settings: ConnectorSettings): string {
  const declared = [{ name: 'c', type }];
  const fields = declaredFields(declared, engine, settings);
  const layout = layoutOf({ name: 's.t', engine, fields, key: null, declared, settings });
  return layout?.table.columns[0]?.form == null ? 'unproven' : 'compared';
}

describe('the page of types and settings', () => {
  const lines = [...linesOf('PostgreSQL', 'postgres'), ...linesOf('MySQL and MariaDB', 'mysql')];

  it('has a line for each', () => {
    expect(lines.length).toBeGreaterThan(30);
    for (const { setting } of lines) expect(settingsOf(setting).length).toBeGreaterThan(0);
  });

  it.each(lines)(
    'says of $types with $setting that they are $outcome',
    ({ engine, types, setting, outcome }) => {
      for (const type of types) {
        const found = new Set(settingsOf(setting).map((settings) => outcomeOf(engine, type, settings)));
        expect([type, ...found]).toEqual([type, outcome]);
      }
    },
  );
});
