import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/config/load.ts';
import { findSite } from '../../src/config/site.ts';

const config = parseConfig(
  `systems:
  bank:
    primary: { url: "postgres://v:pw@db1.pangyo/bank" }
    candidates:
      - { name: gasan, url: "postgres://v@db1.gasan/bank" }
      - { name: daejeon, url: "postgres://v@db1.daejeon/bank" }
  mail:
    primary: { url: "postgres://v@db2.pangyo/mail" }
    candidates:
      - { name: gasan, url: "postgres://v@db2.gasan/mail" }
`,
  'twinproof.yaml',
  {},
);

describe('a site that was typed', () => {
  it.each([
    ['primary', 'bank', 'db1.pangyo'],
    ['primary', 'bank/primary', 'db1.pangyo'],
    ['primary', 'bank/gasan', 'db1.gasan'],
    ['candidate', 'daejeon', 'db1.daejeon'],
    ['candidate', 'bank/gasan', 'db1.gasan'],
    ['candidate', 'mail', 'db2.gasan'],
    ['candidate', 'bank/primary', 'db1.pangyo'],
  ] as const)('--%s %s', (role, typed, host) => {
    const found = findSite(config, typed, role);
    expect(found.address.host).toBe(host);
    expect(found.system).not.toBeNull();
  });

  it('may be a URL, with or without a configuration', () => {
    for (const given of [config, null]) {
      const found = findSite(given, 'postgres://v:pw@h/bank', 'primary');
      expect(found).toMatchObject({ label: 'postgres://v@h/bank', system: null, site: null });
      expect(found.warnings).toHaveLength(1);
    }
  });

  it.each([
    ['candidate', 'gasan', 'names more than one site'],
    ['candidate', 'bank', 'names more than one site'],
    ['candidate', 'busan', 'names no site'],
    ['primary', 'gasan', 'names no site'],
    ['primary', '', 'names no site'],
  ] as const)('--%s %s is refused with the names that exist', (role, typed, problem) => {
    expect(() => findSite(config, typed, role)).toThrow(
      expect.objectContaining({
        code: 'TP-USAGE',
        message: expect.stringContaining(problem),
        hint: expect.stringContaining(
          'bank/primary, bank/gasan, bank/daejeon, mail/primary, mail/gasan; or write a connection URL',
        ),
      }),
    );
  });

  it('does not repeat what may be a password', () => {
    for (const given of [config, null]) {
      for (const typed of ['u:canary-s3cret@h/db', 'host=h password=canary-s3cret', 'canary-s3cret@h']) {
        expect(() => findSite(given, typed, 'primary')).toThrow(
          expect.objectContaining({ message: expect.not.stringContaining('canary') }),
        );
      }
    }
  });
});
