import { Option } from 'commander';
import type { ResultDocument } from '../report/result-html.ts';
import type { SiteIo } from './io.ts';

export const RESULT_FORMATS = ['text', 'json', 'html'] as const;
export type ResultFormat = (typeof RESULT_FORMATS)[number];

export function resultFormatOption(): Option {
  return new Option('--format <format>', 'how the result is printed; html is one file for an audit')
    .choices(RESULT_FORMATS)
    .default('text');
}

export type HtmlIo = Pick<SiteIo, 'stdout' | 'now'>;

/** Runs a command in the format that is wished; HTML is made of what it prints as JSON, also when it fails after that. */
export async function inFormat<Io extends HtmlIo>(
  format: ResultFormat,
  io: Io,
  run: (format: 'text' | 'json', io: Io) => Promise<number>,
): Promise<number> {
  if (format !== 'html') return await run(format, io);
  const { resultHtml } = await import('../report/result-html.ts');
  let json = '';
  try {
    return await run('json', { ...io, stdout: (text: string) => void (json += text) });
  } finally {
    if (json !== '') {
      const document: ResultDocument = JSON.parse(json);
      io.stdout(resultHtml(document, json, io.now()));
    }
  }
}
