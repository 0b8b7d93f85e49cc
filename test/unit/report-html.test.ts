import { describe, expect, it } from 'vitest';
import { inFormat, type HtmlIo } from '../../src/commands/html-format.ts';
import { resultHtml } from '../../src/report/result-html.ts';
import { verdictOf } from './board-fixture.ts';

const ODD = '<img src=x onerror=alert(1)>';
const AT = new Date('2026-03-01T00:00:00Z');

describe('a result as one HTML file', () => {
  it('says the verdict, every reason and what is not proven, and loads nothing', () => {
    const verdict = { ...verdictOf('SAFE_WITH_LOSS'), candidate: 'gasan' };
    const page = resultHtml(verdict, JSON.stringify(verdict, null, 2), AT);
    for (const text of [
      'SAFE_WITH_LOSS: gasan',
      '12.4 s',
      'the policy allows 30 s',
      'unchanged rows',
      'twinproof.verdict/v1',
    ]) {
      expect(page).toContain(text);
    }
    expect(page).not.toMatch(/<script|<link|src=|@import|url\(/);
  });

  it('shows identifiers as text', () => {
    const [reason] = verdictOf('NOT_SAFE').reasons;
    const reasons = reason === undefined ? [] : [{ ...reason, subject: ODD }];
    const verdict = { ...verdictOf('NOT_SAFE', { reasons }), candidate: ODD };
    const json = JSON.stringify(verdict, null, 2);
    const page = resultHtml(verdict, json, AT);
    expect(page).not.toContain('<img');
    expect(page).toContain('&lt;img src=x onerror=alert(1)&gt;');
  });

  it('is made of what the command prints, also when it fails after that', async () => {
    let printed = '';
    const io: HtmlIo = { stdout: (text) => void (printed += text), now: () => AT };
    const failing = inFormat('html', io, async (format, own) => {
      own.stdout(JSON.stringify(verdictOf('SAFE')));
      return await Promise.reject(new Error(`the disk is full (${format})`));
    });
    await expect(failing).rejects.toThrow('the disk is full (json)');
    expect(printed).toMatch(/^<!doctype html>/);
    expect(printed).toContain('SAFE');
  });
});
