import { type ColumnMapping, NOTHING_SAID } from '../config/mapping.ts';
import type { ColumnRead } from '../connector/contract.ts';
import type { ColumnDescription, PairKind, PortableForm, TableDescription } from '../connector/table.ts';
import { commonForm, helpfulOverride } from '../row/portable.ts';
import type { Naming } from './naming.ts';
import { reason, type ReasonCode } from './reasons.ts';
import type { Reason } from './result.ts';

/** A column of both sites, and how each reads it. */
export interface PairedColumn {
  readonly primary: ColumnRead;
  readonly candidate: ColumnRead;
}

/** `verdict`: what is known without reading a row; null: the table can be compared. */
export interface PairedColumns {
  readonly columns: readonly PairedColumn[];
  readonly verdict: 'different' | 'unproven' | null;
  readonly reasons: readonly Reason[];
}

interface Match {
  readonly ours: ColumnDescription;
  readonly theirs: ColumnDescription;
  readonly mapped: ColumnMapping | null;
  /** On either site. */
  readonly inKey: boolean;
}

/** Pairs the columns of a table by name, in the primary's order, and finds the encoding that both sites share. Pure. */
export function pairColumns(
  naming: Naming,
  primary: TableDescription,
  candidate: TableDescription,
): PairedColumns {
  const subject = primary.name;
  const mapping = naming.columnsOf(subject);
  const theirs = new Map(candidate.columns.map((column) => [column.name, column]));
  const reasons: Reason[] = unknownColumns(subject, primary, mapping);
  const note = (code: ReasonCode, message: string, hint?: string): void =>
    void reasons.push(reason(code, subject, message, hint));
  const columns: PairedColumn[] = [];
  for (const ours of primary.columns) {
    const mapped = mapping.get(ours.name) ?? null;
    const name = mapped?.name ?? ours.name;
    const other = theirs.get(name);
    theirs.delete(name);
    if (other === undefined) {
      const wanted = name === ours.name ? '' : ` (mapped to "${name}")`;
      note(
        'TP-COLUMN-MISSING',
        `column "${ours.name}" (${ours.type})${wanted} does not exist on the candidate`,
      );
      continue;
    }
    const inKey =
      (primary.key?.includes(ours.name) ?? false) || (candidate.key?.includes(other.name) ?? false);
    const paired = pairColumn(naming.kind, subject, { ours, theirs: other, mapped, inKey });
    if ('code' in paired) reasons.push(paired);
    else columns.push(paired);
  }
  const extra = [...theirs.keys()].map((column) => `"${column}"`);
  if (extra.length > 0) note('TP-COLUMN-EXTRA', `only the candidate has ${extra.join(', ')}`);
  const verdict = verdictOf(reasons);
  const meant = [...mapping].flatMap(([name, said]) => meaningOf(name, said));
  if (verdict === null && meant.length > 0)
    note('TP-MAPPED', `by the mapping of the configuration ${meant.join('; ')}`);
  return { columns, verdict, reasons };
}

function verdictOf(reasons: readonly Reason[]): PairedColumns['verdict'] {
  const codes = new Set(reasons.map(({ code }) => code));
  if (codes.has('TP-COLUMN-MISSING')) return 'different';
  return [...codes].some((code) => code !== 'TP-COLUMN-EXTRA') ? 'unproven' : null;
}

/** What makes values equal that their types alone do not: it belongs to the evidence. */
function meaningOf(name: string, { as, zone, trim, scale }: ColumnMapping): string[] {
  const said = [
    as === null ? null : `is compared as ${as}`,
    zone === null ? null : `has its local times in ${zone}`,
    trim ? 'has no blanks at its end' : null,
    scale === null ? null : `is rounded to ${scale} digits`,
  ].filter((part) => part !== null);
  return said.length === 0 ? [] : [`"${name}" ${said.join(' and ')}`];
}

function unknownColumns(
  subject: string,
  primary: TableDescription,
  mapping: ReadonlyMap<string, ColumnMapping>,
): Reason[] {
  const known = new Set(primary.columns.map(({ name }) => name));
  return [...mapping.keys()]
    .filter((name) => !known.has(name))
    .map((name) =>
      reason(
        'TP-MAPPING',
        subject,
        `the mapping names column "${name}", which the primary’s table does not have`,
      ),
    );
}

function pairColumn(kind: PairKind, subject: string, match: Match): PairedColumn | Reason {
  return kind === 'cross-engine' ? pairPortable(subject, match) : pairNative(kind, subject, match);
}

/** Within one engine: the same type has the same bytes. */
function pairNative(kind: PairKind, subject: string, { ours, theirs, mapped }: Match): PairedColumn | Reason {
  if (mapped !== null && (mapped.as ?? mapped.zone ?? mapped.scale ?? (mapped.trim || null)) !== null) {
    const message = `column "${ours.name}" is mapped with more than a name, which is for pairs of different engines`;
    return reason('TP-MAPPING', subject, message);
  }
  if (theirs.baseType !== ours.baseType) {
    const types = `${ours.type} on the primary and ${theirs.type} on the candidate`;
    return reason('TP-COLUMN-TYPE', subject, `column "${ours.name}" is ${types}`);
  }
  const encoding = ours.encodings[kind];
  if (encoding === null) {
    const message = `column "${ours.name}" (${ours.type}) has no canonical form on a ${kind} pair`;
    return reason('TP-NO-ENCODING', subject, message);
  }
  return { primary: { name: ours.name, encoding }, candidate: { name: theirs.name, encoding } };
}

/** Between engines: by the rules of src/row/portable.ts, or not at all. */
function pairPortable(subject: string, { ours, theirs, mapped, inKey }: Match): PairedColumn | Reason {
  const said = mapped ?? NOTHING_SAID;
  // A rounded number is a decimal, also where both sites have whole numbers.
  const wish = said.scale === null || said.as !== null ? said : { as: 'decimal' as const, zone: said.zone };
  const shared = commonForm(ours.portable, theirs.portable, wish);
  if (shared === null) return noCommonForm(subject, { ours, theirs, mapped, inKey });
  const misfit = misfitOf(said, shared.form, inKey);
  if (misfit !== null) return reason('TP-MAPPING', subject, `column "${ours.name}" ${misfit}`);
  return {
    primary: portableRead(ours, shared.form, shared.zones.primary, said),
    candidate: portableRead(theirs, shared.form, shared.zones.candidate, said),
  };
}

/** What `trim` or `scale` are not for; null: nothing. */
function misfitOf({ trim, scale }: ColumnMapping, form: PortableForm, inKey: boolean): string | null {
  if (trim && form !== 'text') return `is compared as ${form}, which \`trim\` is not for`;
  if (scale !== null && form !== 'decimal') return `is compared as ${form}, which \`scale\` is not for`;
  // Two keys that are one when rounded would be taken for one row.
  if (inKey && (trim || scale !== null)) return 'is in the key, whose values cannot be trimmed or rounded';
  return null;
}

function portableRead(
  { name }: ColumnDescription,
  form: PortableForm,
  zone: string | null,
  { trim, scale }: ColumnMapping,
): ColumnRead {
  return {
    name,
    encoding: 'portable',
    form,
    ...(zone === null ? {} : { zone }),
    ...(trim ? { trim } : {}),
    ...(scale === null ? {} : { scale }),
  };
}

function noCommonForm(subject: string, { ours, theirs, mapped }: Match): Reason {
  const types = `${ours.type} on the primary and ${theirs.type} on the candidate`;
  const wish = mapped === null ? [] : [mapped.as, mapped.zone].filter((part) => part !== null);
  const asked = wish.length === 0 ? '' : ` as the mapping asks (${wish.join(', ')})`;
  const message = `column "${ours.name}" is ${types}: no rule says how to compare the two${asked}`;
  const override = helpfulOverride(ours.portable, theirs.portable, mapped ?? undefined);
  if (override === null) return reason('TP-NO-ENCODING', subject, message);
  const line = `mapping: { columns: { "${subject}": { "${ours.name}": { ${override} } } } }`;
  const hint = `if that is what the column means, write in the configuration ${line}; else exclude the table`;
  return reason('TP-NO-ENCODING', subject, message, hint);
}
