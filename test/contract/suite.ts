import { afterAll, beforeAll, describe, expect } from 'vitest';
import { describeAborts } from './abort-checks.ts';
import { describeIdentities } from './identity-checks.ts';
import type { ContractPair, ContractTraits } from './pair.ts';
import { describePointReads } from './point-read-checks.ts';
import { describePositions } from './position-checks.ts';
import { describeRanges } from './range-checks.ts';
import { describeSnapshots } from './snapshot-checks.ts';
import { describeTableChecks } from './table-checks.ts';

/**
 * What every connector has to keep, tried on a replicating pair. The pair is made once; every check has tables of its
 * own.
 */
export function describeContract(
  name: string,
  traits: ContractTraits,
  makePair: () => Promise<ContractPair>,
): void {
  describe(`connector contract: ${name}`, () => {
    let pair: ContractPair | null = null;
    const thePair = (): ContractPair => {
      if (pair === null) throw new Error('the pair could not be made');
      return pair;
    };

    beforeAll(async () => {
      pair = await makePair();
      const { kind, primary } = pair;
      expect({ kind, rowVersions: primary.capabilities.rowVersions }).toEqual(traits);
    });
    afterAll(async () => {
      await pair?.dispose();
    });

    describeIdentities(thePair);
    describeTableChecks(thePair);
    describeRanges(thePair, traits);
    describeSnapshots(thePair);
    describePointReads(thePair, traits);
    describePositions(thePair);
    describeAborts(thePair);
  });
}
