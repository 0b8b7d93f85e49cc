import { describe, expect, it } from 'vitest';
import { inTime } from '../../src/commands/in-time.ts';
import { Silences } from '../../src/commands/silences.ts';
import { withoutSilent } from '../../src/commands/state-content.ts';
import type { JudgedSystem } from '../../src/commands/state-verdicts.ts';
import type { VerdictWord } from '../../src/verdict/verdict.ts';
import { candidateOf, fleetConfig } from './board-fixture.ts';

const { signal } = new AbortController();
/** A server that hangs: no signal ends it. */
const hangs = (): Promise<never> => new Promise(() => undefined);

describe('work that must end in time', () => {
  it('is given up although it does not end, and is told so', async () => {
    let told: unknown = null;
    const work = inTime({ ms: 20, signal }, (own) => {
      own.addEventListener('abort', () => (told = own.reason));
      return hangs();
    });
    await expect(work).rejects.toMatchObject({ code: 'TP-TIMEOUT', message: 'no answer within 20 ms' });
    expect(told).toMatchObject({ code: 'TP-TIMEOUT' });
  });

  it('comes to what it comes to, and ends with the signal of the caller', async () => {
    expect(await inTime({ ms: 60_000, signal }, () => Promise.resolve(7))).toBe(7);
    const stop = new AbortController();
    const ended = inTime({ ms: 60_000, signal: stop.signal }, async (own) => {
      await new Promise((resolve) => own.addEventListener('abort', resolve));
      throw own.reason;
    });
    stop.abort(new Error('Ctrl-C'));
    await expect(ended).rejects.toThrow('Ctrl-C');
  });
});

describe('a site that falls silent', () => {
  it('is given up by whoever is reading it, and nobody else is', async () => {
    const silences = new Silences();
    const lost = silences.reading('gasan', signal, hangs);
    const other = silences.reading('busan', signal, () => Promise.resolve('rows'));
    expect(silences.heard('gasan', 'no answer within 5 s')).toBe(true);
    expect(silences.heard('gasan', 'no answer within 5 s')).toBe(false);
    await expect(lost).rejects.toMatchObject({ code: 'TP-TIMEOUT', message: 'no answer within 5 s' });
    expect([await other, silences.of('gasan'), silences.of('busan')]).toEqual([
      'rows',
      'no answer within 5 s',
      null,
    ]);
    expect([silences.heard('gasan', null), silences.heard('gasan', null)]).toEqual([true, false]);
    expect(await silences.reading('gasan', signal, () => Promise.resolve('rows again'))).toBe('rows again');
  });
});

describe('a verdict', () => {
  const [system] = fleetConfig({ bank: '' }).systems;
  const judged = (gasan: VerdictWord, busan: VerdictWord): JudgedSystem => ({
    pair: 'physical',
    primary: { state: 'alive', message: null, identity: null, position: null, witnessedUntil: null },
    best: null,
    candidates: new Map([
      ['gasan', candidateOf('gasan', gasan)],
      ['busan', candidateOf('busan', busan)],
    ]),
  });
  const left = (before: JudgedSystem, silent: string): string[] => {
    if (system === undefined) throw new Error('no system');
    const silences = new Silences();
    silences.heard(silent, 'no answer within 5 s');
    const { candidates } = withoutSilent(before, system, silences);
    return [...candidates].map(
      ([name, { verdict, silence }]) => `${name} ${verdict?.verdict ?? 'none'} ${silence ?? ''}`,
    );
  };

  it('is withdrawn when its candidate falls silent, and only its', () => {
    expect(left(judged('SAFE', 'SAFE'), 'gasan')).toEqual(['gasan none no answer within 5 s', 'busan SAFE ']);
    // What speaks against it is not taken back because it says nothing any more.
    expect(left(judged('NOT_SAFE', 'SAFE'), 'gasan')[0]).toBe('gasan NOT_SAFE no answer within 5 s');
  });

  it('is withdrawn when the primary falls silent and somebody could promote by it', () => {
    expect(left(judged('SAFE_WITH_LOSS', 'NOT_SAFE'), 'primary')).toEqual(['gasan none ', 'busan NOT_SAFE ']);
  });
});
