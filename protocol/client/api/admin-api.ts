/** Moderation, devices, roles, groups and usage over HTTP. With a user token: the calls that a client may make for itself. */

import type { AppUser, Filter, Open, SortField } from '../types.ts';
import { type HttpCaller, part } from './http-caller.ts';
import { type Answered, sortOf, UsersApi } from './users-api.ts';

type Fields = Readonly<Record<string, unknown>>;
type Listed<Name extends string> = Answered & { readonly [N in Name]: readonly Fields[] };

export type BanOptions = Open<{
  /** The user that bans; needed with a server's token. */
  readonly banned_by_id?: string;
  readonly reason?: string;
  /** Minutes; without it the ban lasts until it is lifted. */
  readonly timeout?: number;
  readonly shadow?: boolean;
}>;

/** The user for whom a server acts; a client acts for itself. */
function by(userId: string | undefined): { readonly user_id?: string } {
  return userId === undefined ? {} : { user_id: userId };
}

export class AdminApi extends UsersApi {
  readonly #http: HttpCaller;

  constructor(http: HttpCaller) {
    super(http);
    this.#http = http;
  }

  banUser(id: string, options: BanOptions = {}): Promise<Answered> {
    return this.#http.call('POST', '/moderation/ban', { body: { ...options, target_user_id: id } });
  }

  /** Invisible to the user itself. */
  shadowBan(id: string, options: BanOptions = {}): Promise<Answered> {
    return this.banUser(id, { ...options, shadow: true });
  }

  unbanUser(id: string, options: { readonly user_id?: string; readonly shadow?: boolean } = {}): Promise<Answered> {
    return this.#http.call('DELETE', '/moderation/ban', { query: { ...options, target_user_id: id } });
  }

  queryBannedUsers(filter: Filter = {}, sort: SortField | readonly SortField[] = [], options: object = {}): Promise<Listed<'bans'>> {
    const payload = JSON.stringify({ filter_conditions: filter, sort: sortOf(sort), ...options });
    return this.#http.call('GET', '/query_banned_users', { query: { payload } });
  }

  muteUser(id: string, userId?: string, options: { readonly timeout?: number } = {}): Promise<Listed<'mutes'> & { own_user: AppUser }> {
    return this.#http.call('POST', '/moderation/mute', { body: { ...options, ...by(userId), target_id: id } });
  }

  unmuteUser(id: string, userId?: string): Promise<Answered> {
    return this.#http.call('POST', '/moderation/unmute', { body: { ...by(userId), target_id: id } });
  }

  flagUser(id: string, options: { readonly user_id?: string; readonly reason?: string; readonly custom?: object } = {}): Promise<Fields> {
    return this.#http.call('POST', '/moderation/flag', { body: { ...options, target_user_id: id } });
  }

  unflagUser(id: string, options: { readonly user_id?: string } = {}): Promise<Fields> {
    return this.#http.call('POST', '/moderation/unflag', { body: { ...options, target_user_id: id } });
  }

  blockUser(id: string, userId?: string): Promise<Answered & { readonly blocked_user_id: string }> {
    return this.#http.call('POST', '/users/block', { body: { ...by(userId), blocked_user_id: id } });
  }

  unBlockUser(id: string, userId?: string): Promise<Answered> {
    return this.#http.call('POST', '/users/unblock', { body: { ...by(userId), blocked_user_id: id } });
  }

  getBlockedUsers(userId?: string): Promise<Listed<'blocks'>> {
    return this.#http.call('GET', '/users/block', { query: by(userId) });
  }

  addDevice(id: string, provider: 'firebase' | 'apn' | 'huawei' | 'xiaomi', userId?: string, providerName?: string): Promise<Answered> {
    const body = { id, push_provider: provider, push_provider_name: providerName, ...by(userId) };
    return this.#http.call('POST', '/devices', { body });
  }

  getDevices(userId?: string): Promise<Listed<'devices'>> {
    return this.#http.call('GET', '/devices', { query: by(userId) });
  }

  removeDevice(id: string, userId?: string): Promise<Answered> {
    return this.#http.call('DELETE', '/devices', { query: { id, ...by(userId) } });
  }

  setPushPreferences(preferences: readonly object[]): Promise<Answered & { readonly user_preferences: Fields }> {
    return this.#http.call('POST', '/push_preferences', { body: { preferences } });
  }

  /** Sends a custom event of the application to the clients of the user. */
  sendUserCustomEvent(userId: string, event: Open<{ readonly type: string }>): Promise<Answered> {
    return this.#http.call('POST', `/users/${part(userId)}/event`, { body: { event } });
  }

  listRoles(): Promise<Listed<'roles'>> {
    return this.#http.call('GET', '/roles');
  }

  createRole(name: string): Promise<Answered & { readonly role: Fields }> {
    return this.#http.call('POST', '/roles', { body: { name } });
  }

  deleteRole(name: string): Promise<Answered> {
    return this.#http.call('DELETE', `/roles/${part(name)}`);
  }

  listPermissions(): Promise<Listed<'permissions'>> {
    return this.#http.call('GET', '/permissions');
  }

  createUserGroup(group: Open<{ readonly name: string }>): Promise<Answered & { readonly user_group: Fields }> {
    return this.#http.call('POST', '/usergroups', { body: group });
  }

  getUserGroup(id: string): Promise<Answered & { readonly user_group: Fields }> {
    return this.#http.call('GET', `/usergroups/${part(id)}`);
  }

  updateUserGroup(id: string, group: { readonly name?: string; readonly description?: string }): Promise<Fields> {
    return this.#http.call('PUT', `/usergroups/${part(id)}`, { body: group });
  }

  deleteUserGroup(id: string): Promise<Answered> {
    return this.#http.call('DELETE', `/usergroups/${part(id)}`);
  }

  /** Returns a page. `options`: the parameters of `GET /usergroups`. */
  listUserGroups(options: Readonly<Record<string, string | number>> = {}): Promise<Listed<'user_groups'>> {
    return this.#http.call('GET', '/usergroups', { query: options });
  }

  addUserGroupMembers(id: string, memberIds: readonly string[], options: { readonly as_admin?: boolean } = {}): Promise<Fields> {
    return this.#http.call('POST', `/usergroups/${part(id)}/members`, { body: { ...options, member_ids: memberIds } });
  }

  removeUserGroupMembers(id: string, memberIds: readonly string[]): Promise<Fields> {
    return this.#http.call('POST', `/usergroups/${part(id)}/members/delete`, { body: { member_ids: memberIds } });
  }

  /** Active users of a month (`YYYY-MM`) and of its days. */
  getUsage(month?: string): Promise<Answered & { readonly monthly_active_users: number; readonly guests: number }> {
    return this.#http.call('GET', '/usage', { query: { month } });
  }

  getRateLimits(): Promise<Fields> {
    return this.#http.call('GET', '/rate_limits');
  }
}
