import { describe, expect, test } from 'vitest';
import { otherDatabase } from '../../connectors/mysql/relation-names.ts';

const databases = { candidate: 'copy', primary: 'bank' };
const channels = (...filters: string[]): readonly { readonly filters: readonly string[] }[] => [{ filters }];

describe('the databases that two URLs name', () => {
  test('are the same tables where they have one name', () => {
    expect(otherDatabase('db2:3306', { candidate: 'bank', primary: 'bank' }, [])).toBeNull();
  });

  test('are not where they have two, and both are named', () => {
    const message = otherDatabase('db2:3306', databases, channels('replicate_do_db=bank')) ?? '';
    expect(message).toContain('database copy was named there, but bank of the primary');
  });

  test.each([
    'replicate_rewrite_db=(bank,copy)',
    'replicate_rewrite_db=(a,b),(bank,copy)',
    'replicate_rewrite_db=bank->copy',
    'replicate_rewrite_db=a->b,bank->copy',
  ])('are the same where a channel brings the one as the other: %s', (filter) => {
    expect(otherDatabase('db2:3306', databases, channels('replicate_do_db=copy', filter))).toBeNull();
  });

  test.each([
    'replicate_rewrite_db=(copy,bank)',
    'replicate_rewrite_db=(bank,copy2)',
    'replicate_rewrite_db=mybank->copy',
    'replicate_rewrite_db=bank->copy2',
    'replicate_do_db=bank->copy',
  ])('are not where a channel renames another: %s', (filter) => {
    expect(otherDatabase('db2:3306', databases, channels(filter))).not.toBeNull();
  });
});
