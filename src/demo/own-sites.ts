import type { Page } from '../report/page.ts';
import { ROLE_SQL, SUBSCRIBER_ROLE_SQL } from './bank-schema.ts';

const COMMANDS = `$ export PGPASSWORD=...
$ npx twinproof preflight postgres://twinproof@db2.example.org/bank
$ npx twinproof verify \\
    --primary postgres://twinproof@db1.example.org/bank \\
    --candidate postgres://twinproof@db2.example.org/bank
$ npx twinproof keygen --out twinproof.key
$ npx twinproof certify --quiesced --key twinproof.key --out cert.json \\
    --primary postgres://twinproof@db1.example.org/bank \\
    --candidate postgres://twinproof@db2.example.org/bank
$ npx twinproof certificate check cert.json --key twinproof.key.pub`;

/** How to do the same elsewhere: every line is one to copy. */
export function writeOwnSites(page: Page): void {
  page.heading('On your own sites');
  page.paragraph('A role that can read and nothing else, on the primary; a standby gets it by itself:', {
    first: '   ',
  });
  block(page, ROLE_SQL.replace('LOGIN;', "LOGIN PASSWORD '...';"));
  page.paragraph('On a subscriber the same, and in its database (with less, it is slower under load):', {
    first: '   ',
  });
  block(page, SUBSCRIBER_ROLE_SQL.replace(' ON FUNCTION', '\n  ON FUNCTION'));
  page.paragraph('Then, from a machine that reaches both:', { first: '   ' });
  block(page, COMMANDS);
  page.paragraph(
    'Exit codes are those of monitoring plugins: 0 same or SAFE, 1 SAFE_WITH_LOSS, 2 different or NOT_SAFE, 3 unproven or UNKNOWN. Options, the configuration file and the openssl recipe: README.md.',
    { first: '   ' },
  );
}

function block(page: Page, text: string): void {
  page.line();
  for (const line of text.split('\n')) page.line(`     ${line}`);
  page.line();
}
