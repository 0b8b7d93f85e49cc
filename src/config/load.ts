import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { TwinproofError } from '../errors.ts';
import { mergeParts, type ConfigContent } from './merge.ts';
import { configSchema } from './schema.ts';
import type { Environment } from './secret.ts';
import { failure, YamlSource } from './yaml-source.ts';

const CONFIG_BYTES_MAX = 1024 * 1024;
/** Files of one folder: more than one for each system of the largest fleet. */
const CONFIG_FILES_MAX = 10_000;
/** So many files of one form pay for compiling it. */
const COMPILED_FROM = 10;

export interface Config extends ConfigContent {
  /** The file or folder, as it was named. */
  readonly file: string;
  /** Lowercase, one line each, safe to print. */
  readonly warnings: readonly string[];
}

export interface LoadOptions {
  /** False: the addresses and passwords of sites are not looked at. Default true. */
  readonly sites?: boolean;
}

/**
 * Reads `twinproof.yaml`, or every `*.yaml` and `*.yml` of a folder as one configuration. Relative paths in a file start
 * at its own folder.
 *
 * @throws TwinproofError TP-CONFIG with file, line, column and path of what is wrong; TP-SECRET when all that is wrong
 *   are secrets that cannot be had. No message holds a value of the file.
 */
export function loadConfig(file: string, environment: Environment, options: LoadOptions = {}): Config {
  const files = isFolder(file) ? filesIn(file) : [file];
  const texts = files.map((one) => ({ file: one, text: readConfigFile(one) }));
  return parseFiles(texts, file, isFolder(file), environment, options);
}

/** As loadConfig, for text that was read from `file`. */
export function parseConfig(
  text: string,
  file: string,
  environment: Environment,
  options: LoadOptions = {},
): Config {
  return parseFiles([{ file, text }], file, false, environment, options);
}

interface FileText {
  readonly file: string;
  readonly text: string;
}

function parseFiles(
  texts: readonly FileText[],
  named: string,
  part: boolean,
  environment: Environment,
  { sites = true }: LoadOptions,
): Config {
  // Making a schema takes longer than reading a file by it, and compiling one for a single file longer still.
  const schemas = new Map<string, ReturnType<typeof configSchema>>();
  const parts = texts.map(({ file, text }) => {
    const source = new YamlSource(text, file);
    const folder = path.dirname(path.resolve(file));
    const schema = schemas.get(folder) ?? configSchema({ folder, environment, part, sites });
    schemas.set(folder, schema);
    const outcome = schema.safeParse(source.value, { jitless: texts.length < COMPILED_FROM });
    if (outcome.success) return { source, content: outcome.data };
    throw failure(outcome.error.issues.flatMap((issue) => source.problemsOf(issue)));
  });
  const { content, problems } = mergeParts(parts.map((one) => one.content));
  if (problems.length > 0) {
    throw failure(
      problems.flatMap(({ part: index, keys, message }) => {
        const source = parts[index]?.source;
        return source === undefined ? [] : [source.problemAt(keys, message)];
      }),
    );
  }
  if (content.systems.length === 0) {
    throw new TwinproofError('TP-CONFIG', { message: `${named}: no file of this folder has a system` });
  }
  return { ...content, file: named, warnings: warningsOf(content) };
}

function isFolder(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** By name; those that begin with a dot are not for us. */
function filesIn(folder: string): readonly string[] {
  const names = readdirSync(folder)
    .filter((name) => /^[^.].*\.ya?ml$/.test(name))
    .sort();
  if (names.length === 0 || names.length > CONFIG_FILES_MAX) {
    throw new TwinproofError('TP-CONFIG', {
      message: `${folder} holds ${names.length === 0 ? 'no' : 'too many'} files *.yaml`,
    });
  }
  return names.map((name) => path.join(folder, name));
}

function readConfigFile(file: string): string {
  try {
    if (statSync(file).size > CONFIG_BYTES_MAX) {
      throw new TwinproofError('TP-CONFIG', { message: `${file} is larger than 1 MiB` });
    }
    return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(file));
  } catch (error) {
    if (error instanceof TwinproofError) throw error;
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    throw new TwinproofError('TP-CONFIG', {
      message:
        code === 'ERR_ENCODING_INVALID_ENCODED_DATA'
          ? `${file} is not UTF-8 text`
          : `${file} cannot be read (${code})`,
      hint: 'check the path given to --config and its permissions',
    });
  }
}

function warningsOf(content: ConfigContent): readonly string[] {
  return content.systems.flatMap((system) =>
    [system.primary, ...system.candidates].flatMap((site) =>
      site.warnings.map((warning) => `${system.name}/${site.name}: ${warning}`),
    ),
  );
}
