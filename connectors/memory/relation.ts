import type { Identity, Relation } from '../../src/connector/identity.ts';

/** How `candidate` stands to `primary`; `members` are the instances of the pair to which the candidate belongs. */
export function relate(
  candidate: Identity,
  primary: Identity,
  kind: 'physical' | 'logical',
  members: readonly string[],
): Relation {
  if (candidate.engine === primary.engine && candidate.instance === primary.instance) {
    return {
      kind: 'none',
      code: 'TP-SAME-SERVER',
      message: `both names lead to the server ${primary.instance}`,
    };
  }
  if (primary.engine !== candidate.engine || !members.includes(primary.instance)) {
    return {
      kind: 'none',
      code: 'TP-UNRELATED',
      message: `${candidate.instance} does not replicate ${primary.instance}`,
    };
  }
  if (primary.role !== 'primary' || candidate.role === 'primary') {
    return {
      kind: 'none',
      code: 'TP-ROLES',
      message: `${primary.instance} is a ${primary.role}, ${candidate.instance} a ${candidate.role}`,
    };
  }
  return { kind };
}
