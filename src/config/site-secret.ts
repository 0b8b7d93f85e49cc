import path from 'node:path';
import { z } from 'zod';
import { TwinproofError } from '../errors.ts';
import { hasReference, readSecretFile, Secret, withVariables, type Environment } from './secret.ts';
import { parseUrl, UNREAD_URL, type ParsedUrl, type UrlSource } from './url.ts';

/** What values of a configuration are resolved against. */
export interface SchemaContext {
  /** Relative paths start here: the folder of the configuration file. */
  readonly folder: string;
  readonly environment: Environment;
  /** One of several files: it may be without systems. */
  readonly part: boolean;
  /** False: addresses and passwords of sites are not looked at, for who has no business with them. */
  readonly sites: boolean;
}

/** A secret as `{ file: … }` or as text with `${ENV}`; `literal` when it stands in the configuration itself. */
function readSecretText(
  raw: unknown,
  context: SchemaContext,
  write?: (value: string, offset: number, template: string) => string,
): { value: string; literal: boolean } {
  if (typeof raw === 'string') {
    const value = withVariables(
      raw,
      context.environment,
      (part, offset) => write?.(part, offset, raw) ?? part,
    );
    return { value, literal: !hasReference(raw) };
  }
  const reference = z.strictObject({ file: z.string().min(1) }).safeParse(raw);
  if (!reference.success) {
    throw new TwinproofError('TP-CONFIG', {
      message: raw === undefined ? 'is missing' : 'text, ${ENV} or { file: path } is wanted',
    });
  }
  const file = withVariables(reference.data.file, context.environment);
  return { value: readSecretFile(path.resolve(context.folder, file)), literal: false };
}

/** The URL of a site. Throws TP-CONFIG, TP-SECRET, TP-URL. */
export function readUrl(raw: unknown, context: SchemaContext): ParsedUrl {
  if (!context.sites && raw !== undefined) return UNREAD_URL;
  const { value, literal } = readSecretText(raw, context, asUrlPart);
  // A password that is written out beside ${HOST} is as plain as one in a URL without references.
  const source: UrlSource =
    literal || (typeof raw === 'string' && holdsPlainPassword(raw)) ? 'file' : 'secret';
  return parseUrl(value, source);
}

/** User and password come into a URL percent-encoded, so that a variable holds the password as it is. */
function asUrlPart(value: string, offset: number, template: string): string {
  const inLogin = offset > template.indexOf('://') && offset < template.lastIndexOf('@');
  return inLogin && template.includes('://') ? encodeURIComponent(value) : value;
}

function holdsPlainPassword(template: string): boolean {
  const password = /^[^:]+:\/\/[^@/]*?:([^@]*)@/.exec(template.replaceAll(/\$\{[^{}]*\}/g, '$'))?.[1];
  return password !== undefined && password !== '' && !password.includes('$');
}

/** The password of a site. Throws TP-CONFIG, TP-SECRET. */
export function readPassword(raw: unknown, context: SchemaContext): Secret {
  return context.sites ? readToken(raw, context, 'password') : new Secret('');
}

/** What stands elsewhere than in the configuration, whatever it opens. Throws TP-CONFIG, TP-SECRET. */
export function readToken(raw: unknown, context: SchemaContext, what = 'token'): Secret {
  const { value, literal } = readSecretText(raw, context);
  if (literal) {
    throw new TwinproofError('TP-CONFIG', {
      message: `a ${what} is not written into the configuration`,
      hint: 'write ${NAME} for an environment variable or { file: path } for a file that only its owner can read',
    });
  }
  return new Secret(value);
}
