/** The size rule: name + image + custom as compact UTF-8 JSON (US12). Pure. */
import { utf8Bytes } from '../base/json.ts';
import { LIMITS } from '../base/limits.ts';
import type { StoredUser } from './user.ts';

type UserData = Pick<StoredUser, 'name' | 'image' | 'custom'>;

/** The reason why the data is too big for this kind of caller, or undefined when it is not. */
export function dataProblem(user: UserData, caller: 'server' | 'user'): string | undefined {
  const limit = caller === 'server' ? LIMITS.serverUserBytes : LIMITS.clientUserBytes;
  if (roughDataBytes(user, limit) <= limit) return undefined;
  const bytes = utf8Bytes(JSON.stringify({ name: user.name, image: user.image, custom: user.custom }));
  return bytes <= limit ? undefined : `user data is ${bytes} bytes; at most ${limit} are allowed for a ${caller} caller`;
}

const KEYS_BYTES = '{"name":,"image":,"custom":}'.length;

/**
 * A cheap bound: never less than the true size of the data as JSON, and about five times as much for plain text. Beyond `most`, nothing
 * more is counted.
 */
export function roughDataBytes({ name, image, custom }: UserData, most = Number.POSITIVE_INFINITY): number {
  return roughBytes(name, most) + roughBytes(image, most) + roughBytes(custom, most) + KEYS_BYTES;
}

/** Never less than the true size, and much cheaper: most users are far below the limit and need no encoding. */
function roughBytes(value: unknown, most: number): number {
  // A UTF-16 unit takes at most six bytes, as the escape \u0000.
  if (typeof value === 'string') return value.length * 6 + 3;
  if (typeof value !== 'object' || value === null) return 26;
  let bytes = 3;
  if (Array.isArray(value)) {
    for (let at = 0; at < value.length && bytes <= most; at++) bytes += roughBytes(value[at], most) + 1;
    return bytes;
  }
  const fields = value as Readonly<Record<string, unknown>>;
  for (const key in fields) {
    bytes += roughBytes(key, most) + roughBytes(fields[key], most) + 1;
    if (bytes > most) break;
  }
  return bytes;
}
