/**
 * Reads the revisions that a request requires of its users: `if_rev` in the body, for any number of users, and the headers of
 * RFC 9110, for one user. Pure.
 */
import Type from 'typebox';
import { Compile } from 'typebox/compile';
import { type FieldError, fieldErrors } from '../base/errors.ts';
import { clip, itemPath, typeName } from '../base/field-path.ts';
import { isEmptyList, isJsonObject } from '../base/reading.ts';

/**
 * The revision that each user must have for the command to change it. 0: the user must not exist; `*`: it must exist. A user with
 * another revision is a problem of kind `precondition`. A user that the command would not change is no problem: it already is as
 * the request wants it.
 */
export type Conditions = ReadonlyMap<string, number | '*'>;

const Revision = Type.Integer({ minimum: 0 });
const revisionCheck = Compile(Revision);

/** 0: the user must not exist, or must be deleted. */
export const IfRev = Type.Record(Type.String(), Revision, {
  description: 'the revisions that users must have to be changed, by id; 0: there must be no such user',
});

/** The headers as received. */
export interface ConditionHeaders {
  readonly ifMatch?: string | undefined;
  readonly ifNoneMatch?: string | undefined;
}

/**
 * Reads `if_rev` and adds what is wrong with it to `problems`. `named`: the ids that the request is about. A condition on another
 * user is an error, since nothing would check it.
 */
export function readIfRev(sent: unknown, named: ReadonlySet<string>, problems: FieldError[]): { readonly ifRev?: Conditions } {
  if (sent === undefined || sent === null || sent === '' || isEmptyList(sent)) return {};
  if (!isJsonObject(sent)) {
    problems.push({ path: 'if_rev', message: `must be object, got ${typeName(sent)}` });
    return {};
  }
  const ifRev = new Map<string, number>();
  for (const [id, rev] of Object.entries(sent)) {
    const path = itemPath('if_rev', id);
    if (!revisionCheck.Check(rev)) {
      problems.push({ path, message: 'must be a revision: a whole number, 0 where there must be no such user' });
    } else if (!named.has(id)) problems.push({ path, message: 'is not among the users of the request' });
    else ifRev.set(id, rev);
  }
  return { ifRev };
}

/** The part of a command that holds its conditions. */
interface Conditional {
  readonly ifRev?: Conditions;
}

/**
 * The command with the condition that the headers put on its one user. Throws RosterError `input` for headers that hold no
 * revision, for more than one user, and for conditions that are given twice.
 */
export function withHeaders<Command extends Conditional>(command: Command, ids: readonly string[], headers: ConditionHeaders): Command {
  const { ifMatch, ifNoneMatch } = headers;
  if (ifMatch === undefined && ifNoneMatch === undefined) return command;
  const path = ifMatch === undefined ? 'if-none-match' : 'if-match';
  if (ifMatch !== undefined && ifNoneMatch !== undefined) throw refused(path, 'cannot be given together with If-None-Match');
  const [id] = ids;
  if (id === undefined || ids.length > 1)
    throw refused('if_rev', `the header ${path} is for one user; give if_rev in the body for several`);
  if (command.ifRev !== undefined) throw refused('if_rev', `cannot be given together with the header ${path}`);
  const wanted = ifMatch === undefined ? absent(ifNoneMatch ?? '') : revision(ifMatch);
  return { ...command, ifRev: new Map([[id, wanted]]) };
}

/** The revision that `If-Match` requires of what is one and always there, such as the settings; undefined for none. Throws RosterError `input`. */
export function readIfMatch({ ifMatch, ifNoneMatch }: ConditionHeaders): number | undefined {
  if (ifNoneMatch !== undefined) throw refused('if-none-match', 'is not supported here');
  const wanted = ifMatch === undefined ? '*' : revision(ifMatch);
  return wanted === '*' ? undefined : wanted;
}

/** Reads `"12"`, `12`, or `*`. Also a weak tag, which a compressing proxy makes: a revision does not depend on the encoding. */
function revision(text: string): number | '*' {
  const tag = text.trim();
  if (tag === '*') return '*';
  const digits = /^(?:W\/)?"(\d{1,15})"$|^(\d{1,15})$/.exec(tag);
  const found = digits?.[1] ?? digits?.[2];
  if (found === undefined) throw refused('if-match', `must be one revision such as "12", or *, got ${clip(tag)}`);
  return Number(found);
}

function absent(text: string): 0 {
  if (text.trim() === '*') return 0;
  throw refused('if-none-match', `must be * where something is written, got ${clip(text)}`);
}

function refused(path: string, message: string) {
  return fieldErrors('input', [{ path, message }]);
}
