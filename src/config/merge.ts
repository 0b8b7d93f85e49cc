import path from 'node:path';
import { STATE_DEFAULTS, type BoardConfig, type Fleet, type StateConfig } from './fleet.ts';
import type { KafkaConfig } from './kafka.ts';
import { dependencyCycle } from './fleet-order.ts';
import type { ConfigPart, LedgerConfig, SystemConfig } from './schema.ts';

const NO_FLEET: Fleet = { name: null, tiers: [], groups: [] };

/** A whole configuration, of however many files. */
export interface ConfigContent {
  readonly systems: readonly SystemConfig[];
  readonly ledger: LedgerConfig | null;
  /** `key`: absolute path of the private key. */
  readonly signing: { readonly key: string } | null;
  readonly fleet: Fleet;
  /** Null: there is neither a folder for it nor a ledger to put one beside. */
  readonly state: StateConfig | null;
  readonly board: BoardConfig | null;
  /** Null: nothing is published. */
  readonly kafka: KafkaConfig | null;
}

/** `part`: the index of the file. */
export interface MergeProblem {
  readonly part: number;
  readonly keys: readonly PropertyKey[];
  readonly message: string;
}

type Setting = 'ledger' | 'signing' | 'fleet' | 'state' | 'board' | 'kafka';
const SETTINGS: readonly Setting[] = ['ledger', 'signing', 'fleet', 'state', 'board', 'kafka'];

/** Makes one of several files, and looks at what one of them says of another. Pure. */
export function mergeParts(parts: readonly ConfigPart[]): {
  readonly content: ConfigContent;
  readonly problems: readonly MergeProblem[];
} {
  const owners = new Map<string, number>();
  const problems: MergeProblem[] = [];
  for (const [part, { systems }] of parts.entries()) {
    for (const { name } of systems) {
      if (owners.has(name)) {
        problems.push({ part, keys: ['systems', name], message: 'another file has a system of this name' });
      } else {
        owners.set(name, part);
      }
    }
  }
  for (const key of SETTINGS) {
    const having = [...parts.keys()].filter((part) => parts[part]?.[key] !== null);
    for (const part of having.slice(1)) {
      problems.push({ part, keys: [key], message: 'another file has this already' });
    }
  }
  const only = <K extends Setting>(key: K): ConfigPart[K] | null =>
    parts.find((part) => part[key] !== null)?.[key] ?? null;
  const ledger = only('ledger');
  const content: ConfigContent = {
    systems: parts.flatMap(({ systems }) => systems),
    ledger,
    signing: only('signing'),
    fleet: only('fleet') ?? NO_FLEET,
    state: stateOf(only('state'), ledger),
    board: only('board'),
    kafka: only('kafka'),
  };
  return { content, problems: [...problems, ...fleetProblems(content, owners)] };
}

function stateOf(state: ConfigPart['state'], ledger: LedgerConfig | null): StateConfig | null {
  const beside =
    ledger === null ? null : path.join(path.dirname(ledger.path), `${path.basename(ledger.path)}-state`);
  const folder = state?.path ?? beside;
  return folder === null ? null : { ...STATE_DEFAULTS, ...state, path: folder };
}

/** What systems say of one another. A name that is misspelt would be a dependency that nobody sees. */
function fleetProblems(
  { systems, fleet }: ConfigContent,
  owners: ReadonlyMap<string, number>,
): readonly MergeProblem[] {
  const problems: MergeProblem[] = [];
  const groups = new Set(fleet.groups.map(({ name }) => name));
  for (const { name, fleet: facts } of systems) {
    const add = (keys: readonly PropertyKey[], message: string): void => {
      problems.push({ part: owners.get(name) ?? 0, keys: ['systems', name, ...keys], message });
    };
    for (const [index, needed] of facts.dependsOn.entries()) {
      if (needed === name) add(['dependsOn', index], 'a system cannot depend on itself');
      else if (!owners.has(needed)) add(['dependsOn', index], 'there is no system of this name');
      else if (facts.dependsOn.indexOf(needed) !== index) add(['dependsOn', index], 'it stands here twice');
    }
    if (facts.tier !== null && fleet.tiers.length > 0 && !fleet.tiers.includes(facts.tier)) {
      add(['tier'], 'is not among fleet.tiers');
    }
    if (facts.group !== null && groups.size > 0 && !groups.has(facts.group)) {
      add(['group'], 'is not among fleet.groups');
    }
  }
  const cycle = problems.length > 0 ? null : dependencyCycle(systems);
  const [first] = cycle ?? [];
  if (cycle !== null && first !== undefined) {
    const message = `these systems depend on one another in a circle: ${cycle.join(' → ')}`;
    problems.push({ part: owners.get(first) ?? 0, keys: ['systems', first, 'dependsOn'], message });
  }
  return problems;
}
