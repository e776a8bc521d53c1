/** Reads requests for exports of users, and names their files. The same in both chat dialects. Pure; throws RosterError `input`. */
import Type from 'typebox';
import { Compile } from 'typebox/compile';
import { fieldErrors } from '../base/errors.ts';
import { userIdProblem } from '../base/ids.ts';
import { LIMITS } from '../base/limits.ts';
import { bodyObject, checked, presentFields } from '../base/reading.ts';

export const ExportUsersBody = Type.Object({ user_ids: Type.Array(Type.String(), { minItems: 1, maxItems: LIMITS.exportUsers }) });

const exportUsersCheck = Compile(ExportUsersBody);

/** The kind of the tasks that export users. Their `input` is `{user_ids}`. */
export const EXPORT_TASK = 'export_users';

/** Name of the file that an export produces; each task has one. */
export const EXPORT_FILE = 'users.jsonl';

/** `POST /export/users`. Exports an id that is given twice only once. */
export function decodeExportUsers(body: unknown): readonly string[] {
  const { user_ids } = checked(exportUsersCheck, presentFields(bodyObject(body)));
  const problems = user_ids.flatMap((id, index) => {
    const message = userIdProblem(id);
    return message === undefined ? [] : [{ path: `user_ids[${index}]`, message }];
  });
  if (problems.length > 0) throw fieldErrors('input', problems);
  return [...new Set(user_ids)];
}
