/**
 * Users that stand in an answer beside what it lists: the two users of a mute, the user of a ban. Their records can be long, and one may stand
 * there a thousand times, so only so many bytes of them are shown in full; the rest in short form. Pure.
 *
 * It keeps BU16 (daemon/RULES.md).
 */
import { utf8Bytes } from '../base/json.ts';
import { LIMITS } from '../base/limits.ts';
import type { StoredUser } from './user.ts';

/** What tells the user from others, and its state: the fields that clients rely on, with nothing in those that can be long. */
export function shortForm({ id, rev, name, role, created_at, updated_at, bans, ...user }: StoredUser): StoredUser {
  const { last_active, deactivated_at, deleted_at } = user;
  const isShort = name !== undefined && name.length <= LIMITS.shortNameChars;
  return {
    ...{ id, rev, role, created_at, updated_at, teams: [], custom: {} },
    ...(isShort ? { name } : undefined),
    ...(bans === undefined ? undefined : { bans }),
    ...(last_active === undefined ? undefined : { last_active }),
    ...(deactivated_at === undefined ? undefined : { deactivated_at }),
    ...(deleted_at === undefined ? undefined : { deleted_at }),
  };
}

interface Shown<T> {
  readonly full: T;
  readonly bytes: number;
}

/** The users of one answer. Each is rendered once, however often it is shown. */
export class Embedded<T extends object> {
  readonly #render: (user: StoredUser) => T;
  readonly #bytesMax: number;
  readonly #full = new Map<StoredUser, Shown<T>>();
  readonly #short = new Map<StoredUser, T>();
  #bytes = 0;
  #isSpent = false;

  constructor(render: (user: StoredUser) => T, bytesMax: number = LIMITS.embeddedBytes) {
    this.#render = render;
    this.#bytesMax = bytesMax;
  }

  /** In full until the first that does not fit, then in short form. */
  show(user: StoredUser): T {
    if (!this.#isSpent) {
      const { full, bytes } = this.#inFull(user);
      this.#bytes += bytes;
      this.#isSpent = this.#bytes > this.#bytesMax;
      if (!this.#isSpent) return full;
    }
    const short = this.#short.get(user) ?? this.#render(shortForm(user));
    this.#short.set(user, short);
    return short;
  }

  #inFull(user: StoredUser): Shown<T> {
    const known = this.#full.get(user);
    if (known !== undefined) return known;
    const full = this.#render(user);
    const shown = { full, bytes: utf8Bytes(JSON.stringify(full)) };
    this.#full.set(user, shown);
    return shown;
  }
}
