/** A user whose fields are read one by one from the bytes of its record: for walks, which look at few fields of many users. Pure. */
import type { StoredUser } from '../../../../protocol/users/user.ts';
import { FORM, HEADER, STATE, valueAt, valueEndAt, valueStartAt } from './record-bytes.ts';
import type { RecordCodec } from './record-codec.ts';
import type { Slab } from './slabs.ts';

type Value<Field extends keyof StoredUser> = StoredUser[Field] | undefined;

/**
 * One view serves a whole walk: it is moved from user to user. It has every field that a user may have: an absent one is undefined. Of
 * a tombstone, only the id and the state may be read.
 */
export class UserView {
  readonly #codec: RecordCodec;
  slab: Slab;
  at = 0;
  /** Whether single values of the record can be read. */
  isTabled = false;
  #id: string | undefined;
  #custom: Value<'custom'>;
  /** The record, when it is not tabled. */
  #whole: StoredUser | undefined;
  /** Of a copy: the values that were read, each with the place where it begins. */
  #kept: { readonly start: number; readonly value: unknown }[] | undefined;

  constructor(codec: RecordCodec, slab: Slab) {
    this.#codec = codec;
    this.slab = slab;
  }

  /** This view, moved to another record. */
  movedTo(slab: Slab, at: number): this {
    this.slab = slab;
    this.at = at;
    this.isTabled = (slab.view.getUint8(at + HEADER.form) & FORM.tabled) !== 0;
    this.#id = undefined;
    this.#custom = undefined;
    this.#whole = undefined;
    return this;
  }

  /** Another view of the same bytes, which never change. */
  copy(): UserView {
    const copy = new UserView(this.#codec, this.slab).movedTo(this.slab, this.at);
    copy.#kept = [];
    return copy;
  }

  /** A value in the list. A copy, which others are compared with, keeps it. */
  valueIn(start: number, end: number): unknown {
    const kept = this.#kept;
    if (kept === undefined) return this.#codec.recent.valueIn(this.slab, this.at, start, end);
    // A sort has one or two fields.
    for (const one of kept) if (one.start === start) return one.value;
    const value = this.#codec.recent.valueIn(this.slab, this.at, start, end);
    kept.push({ start, value });
    return value;
  }

  /** The number of its role; 0 where it has none. */
  get roleCode(): number {
    return this.slab.view.getUint16(this.at + HEADER.role, true);
  }

  /** The number of its list of teams; 0 where it has none. */
  get teamsCode(): number {
    return this.isTabled ? this.slab.view.getUint32(this.at + HEADER.teams, true) : 0;
  }

  whole(): StoredUser {
    return this.#codec.read(this.slab, this.at) as StoredUser;
  }

  /** Bits of `STATE`: all of them where the record is tabled; `gone`, `deleted` and `deactivated` of any record. */
  get state(): number {
    return this.slab.view.getUint8(this.at + HEADER.state);
  }

  #untabled(): StoredUser {
    this.#whole ??= this.whole();
    return this.#whole;
  }

  #read<Field extends keyof StoredUser>(field: Field): Value<Field> {
    if (!this.isTabled) return this.#untabled()[field];
    const index = this.#codec.indexOf(this.slab, this.at, field);
    if (index === -1) return undefined;
    const { slab, at } = this;
    // Those of most users are theirs alone.
    if (this.#kept === undefined) return valueAt(slab, at, index) as Value<Field>;
    return this.valueIn(valueStartAt(slab.view, at, index), valueEndAt(slab.view, at, index)) as Value<Field>;
  }

  #number(place: number): number {
    return this.slab.view.getFloat64(this.at + place, true);
  }

  get id(): string {
    this.#id ??= this.#codec.id(this.slab, this.at);
    return this.#id;
  }

  get role(): string {
    return this.isTabled ? this.#codec.role(this.slab, this.at) : this.#untabled().role;
  }

  get teams(): string[] {
    return this.isTabled ? this.#codec.teams(this.slab, this.at) : this.#untabled().teams;
  }

  get rev(): number {
    return this.isTabled ? this.#number(HEADER.rev) : this.#untabled().rev;
  }

  get created_at(): number {
    return this.isTabled ? this.#number(HEADER.created) : this.#untabled().created_at;
  }

  get updated_at(): number {
    return this.isTabled ? this.#number(HEADER.updated) : this.#untabled().updated_at;
  }

  get last_active(): Value<'last_active'> {
    if (!this.isTabled) return this.#untabled().last_active;
    const time = this.#number(HEADER.lastActive);
    return Number.isNaN(time) ? undefined : time;
  }

  get deactivated_at(): Value<'deactivated_at'> {
    return (this.state & STATE.deactivated) === 0 ? undefined : this.#read('deactivated_at');
  }

  get deleted_at(): Value<'deleted_at'> {
    return (this.state & STATE.deleted) === 0 ? undefined : this.#read('deleted_at');
  }

  get custom(): Value<'custom'> {
    this.#custom ??= this.isTabled ? this.#codec.custom(this.slab, this.at) : this.#untabled().custom;
    return this.#custom;
  }

  get name(): Value<'name'> {
    return this.#read('name');
  }

  get image(): Value<'image'> {
    return this.#read('image');
  }

  get teams_role(): Value<'teams_role'> {
    return this.#read('teams_role');
  }

  get language(): Value<'language'> {
    return this.#read('language');
  }

  get invisible(): Value<'invisible'> {
    return this.#read('invisible');
  }

  get privacy_settings(): Value<'privacy_settings'> {
    return this.#read('privacy_settings');
  }

  get deleted(): Value<'deleted'> {
    return this.#read('deleted');
  }

  get deactivated_by_sync(): Value<'deactivated_by_sync'> {
    return this.#read('deactivated_by_sync');
  }

  get deleted_by_sync(): Value<'deleted_by_sync'> {
    return this.#read('deleted_by_sync');
  }

  get revoke_tokens_issued_before(): Value<'revoke_tokens_issued_before'> {
    return this.#read('revoke_tokens_issued_before');
  }

  get bans(): Value<'bans'> {
    return this.#read('bans');
  }

  get mutes(): Value<'mutes'> {
    return this.#read('mutes');
  }

  get blocks(): Value<'blocks'> {
    return this.#read('blocks');
  }

  get flags(): Value<'flags'> {
    return this.#read('flags');
  }

  get bypass_moderation(): Value<'bypass_moderation'> {
    return this.#read('bypass_moderation');
  }

  get devices(): Value<'devices'> {
    return this.#read('devices');
  }

  get push(): Value<'push'> {
    return this.#read('push');
  }

  get sent(): Value<'sent'> {
    return this.#read('sent');
  }
}

/** The living user of a view, to be read before the view is moved. It has all that a user may have. */
export function livingView(view: UserView): StoredUser | undefined {
  return (view.state & (STATE.gone | STATE.deleted)) === 0 ? (view as unknown as StoredUser) : undefined;
}

/** The user of a walk as a record like any other. */
export function wholeUser(user: StoredUser | UserView): StoredUser {
  return user instanceof UserView ? user.whole() : user;
}
