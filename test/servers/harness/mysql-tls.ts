import { chown } from 'node:fs/promises';
import { join } from 'node:path';
import type { ServerUser } from '../../../src/demo/server-user.ts';
import { run } from '../../../src/demo/mysql-run.ts';

const HOSTS = {
  local: 'DNS:localhost,IP:127.0.0.1',
  other: 'DNS:db.example.net',
} as const;

/**
 * Makes, in a folder, an authority of its own (`authority.pem`) and a server's certificate that it signed (`cert.pem`,
 * `key.pem`): for `localhost` and `127.0.0.1`, or for `db.example.net` only. About 50 ms.
 */
export async function makeCertificates(
  folder: string,
  otherHost: boolean,
  user: ServerUser | null,
): Promise<void> {
  const at = (name: string): string => join(folder, name);
  const request = [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-days',
    '30',
  ];
  const authority = [
    '-subj',
    '/CN=Twinproof test authority',
    '-keyout',
    at('authority.key'),
    '-out',
    at('authority.pem'),
  ];
  await run('openssl', [...request, ...authority], null);
  const signer = ['-CA', at('authority.pem'), '-CAkey', at('authority.key')];
  const names = ['-addext', `subjectAltName=${otherHost ? HOSTS.other : HOSTS.local}`];
  const server = [
    '-subj',
    '/CN=Twinproof test server',
    '-addext',
    'basicConstraints=critical,CA:FALSE',
    ...names,
  ];
  await run(
    'openssl',
    [...request, ...server, ...signer, '-keyout', at('key.pem'), '-out', at('cert.pem')],
    null,
  );
  if (user === null) return;
  for (const name of ['authority.pem', 'cert.pem', 'key.pem']) await chown(at(name), user.uid, user.gid);
}
