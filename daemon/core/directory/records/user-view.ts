/** A user whose fields are read one by one from the bytes of its record: for walks, which look at few fields of many users. Pure. */
import type { StoredUser } from '../../../../protocol/users/user.ts';
import type { RecordCodec } from './record-codec.ts';
import type { Slab } from './slabs.ts';

type Value<Field extends keyof StoredUser> = StoredUser[Field] | undefined;

/** One view serves a whole walk: it is moved from user to user. */
export class UserView {
  readonly #codec: RecordCodec;
  #slab: Slab;
  #at = 0;
  #custom: Value<'custom'>;

  #id: Value<'id'>;

  constructor(codec: RecordCodec, slab: Slab) {
    this.#codec = codec;
    this.#slab = slab;
  }

  /** This view, moved to a record that has a table. */
  movedTo(slab: Slab, at: number): StoredUser {
    this.#slab = slab;
    this.#at = at;
    this.#id = undefined;
    this.#custom = undefined;
    // It has every field that a user may have: an absent one is undefined.
    return this as unknown as StoredUser;
  }

  /** Another view of the same bytes, which never change. */
  copy(): StoredUser {
    return new UserView(this.#codec, this.#slab).movedTo(this.#slab, this.#at);
  }

  whole(): StoredUser {
    return this.#codec.read(this.#slab, this.#at) as StoredUser;
  }

  #read<Field extends keyof StoredUser>(field: Field): Value<Field> {
    return this.#codec.field(this.#slab, this.#at, field) as Value<Field>;
  }

  get id(): Value<'id'> {
    this.#id ??= this.#read('id');
    return this.#id;
  }

  get rev(): Value<'rev'> {
    return this.#read('rev');
  }

  get name(): Value<'name'> {
    return this.#read('name');
  }

  get image(): Value<'image'> {
    return this.#read('image');
  }

  get role(): Value<'role'> {
    return this.#read('role');
  }

  get teams(): Value<'teams'> {
    return this.#read('teams');
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

  get created_at(): Value<'created_at'> {
    return this.#read('created_at');
  }

  get updated_at(): Value<'updated_at'> {
    return this.#read('updated_at');
  }

  get last_active(): Value<'last_active'> {
    return this.#read('last_active');
  }

  get deactivated_at(): Value<'deactivated_at'> {
    return this.#read('deactivated_at');
  }

  get deleted_at(): Value<'deleted_at'> {
    return this.#read('deleted_at');
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

  get custom(): Value<'custom'> {
    this.#custom ??= this.#read('custom');
    return this.#custom;
  }
}

/** The user of a walk as it is now, when the walk has gone on; costs little. */
export function keptUser(user: StoredUser): StoredUser {
  return user instanceof UserView ? user.copy() : user;
}

/** The user of a walk as a record like any other. */
export function wholeUser(user: StoredUser): StoredUser {
  return user instanceof UserView ? user.whole() : user;
}
