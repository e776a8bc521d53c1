/** The command for a client's connect, the details that the client sends, and the command that keeps users active. Pure. */

import { type FieldError, fieldErrors } from '../base/errors.ts';
import type { JsonObject } from '../base/json.ts';
import { isEmptyList } from '../base/reading.ts';
import { decodeUser, type UserPlace } from './decode.ts';
import type { PrivacySettings } from './user.ts';

/** The keys that a client sent with its connect. Absent keys do not change. */
export interface ConnectDetails {
  readonly name?: string;
  readonly image?: string;
  readonly language?: string;
  readonly invisible?: boolean;
  readonly privacy_settings?: PrivacySettings;
  readonly custom: JsonObject;
  /** Server fields: a client may repeat their values but not change them. */
  readonly role?: string;
  readonly teams?: readonly string[];
  readonly teams_role?: Readonly<Record<string, string>>;
}

export interface ConnectCommand {
  readonly kind: 'connect';
  readonly id: string;
  readonly details: ConnectDetails;
}

/** Users whose live connections are still open. The core skips ids without a living user. The daemon itself sends this command. */
export interface ActiveCommand {
  readonly kind: 'active';
  readonly ids: readonly string[];
}

/** Decodes the details that a client sends with its connect. `id` is the token's user; the details may repeat it. */
export function decodeConnect(id: string, details: unknown): ConnectDetails {
  const problems: FieldError[] = [];
  const place: UserPlace = { path: 'user', key: id, dialect: 'v2', caller: 'user' };
  const user = decodeUser(isEmptyList(details) ? {} : details, place, problems);
  if (user === undefined) throw fieldErrors('input', problems);
  const { id: _, ...sent } = user;
  return sent;
}
