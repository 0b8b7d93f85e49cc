import { describe, expect, it } from 'vitest';
import { signalFor, type ContractPair } from './pair.ts';
import { SITES } from './reading.ts';

export function describeIdentities(pair: () => ContractPair): void {
  describe('identity and relation', () => {
    it.each(SITES)('the %s says the same of itself every time, but for its clock', async (site) => {
      const { serverTime: firstTime, ...first } = await pair()[site].identify(signalFor());
      const { serverTime: secondTime, ...second } = await pair()[site].identify(signalFor());
      expect(second).toEqual(first);
      expect(first.engine).toBe(pair()[site].engine);
      expect(Date.parse(secondTime)).toBeGreaterThanOrEqual(Date.parse(firstTime));
      expect(new Date(firstTime).toISOString().slice(0, 19)).toBe(firstTime.slice(0, 19));
    });

    it('tells the sites apart', async () => {
      const primary = await pair().primary.identify(signalFor());
      const candidate = await pair().candidate.identify(signalFor());
      expect(primary.instance).not.toBe(candidate.instance);
      expect(primary.role).toBe('primary');
      expect(primary.writable).toBe(true);
      expect(candidate.role).toBe(pair().kind === 'physical' ? 'standby' : 'subscriber');
    });

    it('a second connection leads to the same instance', async () => {
      const other = await pair().connect('candidate');
      try {
        const { instance } = await pair().candidate.identify(signalFor());
        expect((await other.identify(signalFor())).instance).toBe(instance);
        expect(await other.relateTo(pair().candidate, signalFor())).toMatchObject({ code: 'TP-SAME-SERVER' });
      } finally {
        await other.close();
      }
    });

    it('relates the candidate to its primary', async () => {
      expect(await pair().candidate.relateTo(pair().primary, signalFor())).toEqual({ kind: pair().kind });
    });

    it.each(SITES)('the %s and itself are the same server', async (site) => {
      const relation = await pair()[site].relateTo(pair()[site], signalFor());
      expect(relation).toMatchObject({ kind: 'none', code: 'TP-SAME-SERVER' });
    });

    it('refuses swapped sites', async () => {
      const relation = await pair().primary.relateTo(pair().candidate, signalFor());
      expect(relation.kind).toBe('none');
    });

    it('refuses a primary that the candidate does not replicate', async () => {
      const relation = await pair().candidate.relateTo(pair().unrelated, signalFor());
      expect(relation).toMatchObject({ kind: 'none', code: 'TP-UNRELATED' });
    });

    it.each(SITES)('the %s reports facts, with null for what it does not know', async (site) => {
      const facts = await pair()[site].readiness(signalFor());
      expect(facts.inRecovery).toBe(site === 'candidate' && pair().kind === 'physical');
      expect(facts.systemId).toBe((await pair()[site].identify(signalFor())).systemId);
      expect(await pair()[site].preflight(signalFor())).toBeInstanceOf(Array);
    });
  });
}
