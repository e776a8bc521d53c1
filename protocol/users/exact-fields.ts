/** Refuses numbers of a request that would silently become other numbers (see exact-numbers.ts). Pure. */
import { type FieldError, PROBLEMS_MAX } from '../base/errors.ts';
import { type InexactNumber, inexactNumbers, type Path } from '../base/exact-numbers.ts';
import { RESERVED_FIELDS } from './user.ts';

/** `text` is valid JSON. Times in nanoseconds are no errors: nobody counts on their last digits. Lists no more than an answer shows. */
export function inexactFields(text: string): readonly FieldError[] {
  const found: FieldError[] = [];
  for (const { problem } of refusedNumbers(text)) if (found.push(problem) >= PROBLEMS_MAX) break;
  return found;
}

export function refusedNumbers(text: string): Iterable<InexactNumber> {
  return inexactNumbers(text, isTime);
}

/** First keys of requests that lead to fields of the daemon. Beyond any other key begins the application's own data. */
const ON_THE_WAY: ReadonlySet<string> = new Set(['users', 'user', 'user_details', 'set', 'filter', 'filter_conditions']);

/** Whether the number is a time, or lies within a field that only the daemon sets and that may be sent back to it. */
function isTime(wholePath: Path): boolean {
  // An event of Socket.IO is a list: its name and its argument.
  const path = typeof wholePath[0] === 'number' ? wholePath.slice(1) : wholePath;
  const [first] = path;
  if (path.length === 1 && (first === 'from' || first === 'to')) return true;
  if (path.length === 3 && first === 'preferences' && path[2] === 'disabled_until') return true;
  for (const [at, key] of path.entries()) {
    if (typeof key === 'number' || (at === 1 && first === 'users')) continue;
    if (RESERVED_FIELDS.has(key) || key === 'revoke_tokens_issued_before') return true;
    const isOnTheWay = (at === 0 && ON_THE_WAY.has(key)) || (at === 2 && key === 'set') || key.startsWith('$');
    if (!isOnTheWay) return false;
  }
  return false;
}
