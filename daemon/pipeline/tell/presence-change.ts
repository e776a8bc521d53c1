/**
 * An outgoing presence change: a user came online or went offline. It has no position: a subscriber that resumes receives the current
 * state, not the changes.
 */

import { type Micros, toNanos, toRfc3339 } from '../../../protocol/base/time.ts';
import type { EventDialect } from '../../../protocol/live/user-events.ts';
import { isPartlyPrivate, type Reader, renderLive, renderV1 } from '../../../protocol/users/render.ts';
import type { StoredUser } from '../../../protocol/users/user.ts';
import { dialectOf, type EventForm, wrapped } from './event-form.ts';
import { textFrame } from './frame.ts';
import type { Concerned } from './told.ts';

export class PresenceChange implements Concerned {
  readonly after: StoredUser;
  readonly online: boolean;
  readonly #at: Micros;
  /** Position at which it was sent; it has none of its own. */
  readonly #seq: number;
  readonly #bodies = new Map<string, string>();

  constructor(user: StoredUser, online: boolean, at: Micros, seq: number) {
    this.after = user;
    this.online = online;
    this.#at = at;
    this.#seq = seq;
  }

  get id(): string {
    return this.after.id;
  }

  get before(): StoredUser {
    return this.after;
  }

  frame(form: EventForm, decoration: string, isPrivy: boolean): Buffer {
    return textFrame(this.text(form, decoration, isPrivy));
  }

  /** See `OutgoingUserEvent.text`. */
  text(form: EventForm, decoration: string, isPrivy: boolean): string {
    const dialect = dialectOf(form);
    const reader = isPrivy || !isPartlyPrivate(this.after) ? 'self' : 'other';
    const key = `${dialect} ${reader}`;
    const body = this.#bodies.get(key) ?? this.#body(dialect, reader);
    this.#bodies.set(key, body);
    return wrapped(form, `${body}${decoration}}`);
  }

  /** Nobody reads it later. */
  release(): void {
    this.#bodies.clear();
  }

  #body(dialect: EventDialect, reader: Reader): string {
    const aside = { online: this.online, reader };
    const isNs = dialect === 'live-ns';
    const user = dialect === 'v1' ? renderV1(this.after, aside) : renderLive(this.after, aside, isNs ? 'ns' : 'rfc3339');
    const created_at = isNs ? toNanos(this.#at) : toRfc3339(this.#at);
    return JSON.stringify({ type: 'user.presence.changed', seq: this.#seq, created_at, user }).slice(0, -1);
  }
}
