/** `rosterd/client`: users over HTTP, and a live connection that reconnects by itself without missing events. For browsers and Node. */

export { digest } from '../base/digest.ts';
export type { BanOptions } from './api/admin-api.ts';
export { connect, FeedsClient, type FeedsUser, type FeedsUserData } from './api/feeds.ts';
export type { TaskAnswer, TaskStarted, UserAnswer, UsersAnswer, WriteOptions } from './api/users-api.ts';
export { RosterClientError } from './client-error.ts';
export type { ExportEvent, ImportEvent, UserGroupEvent } from './document-types.ts';
export type { RosterClientOptions } from './options.ts';
export { RosterClient } from './roster-client.ts';
export { type ApiSecret, apiSecret } from './tokens/secret.ts';
export type { TokenSource } from './tokens/token-keeper.ts';
export type {
  AppDevice,
  AppUser,
  ClientEvents,
  ConnectedUser,
  ConnectionState,
  Filter,
  LiveUser,
  QueryOptions,
  SortField,
  Subscription,
  UserData,
  UserEvent,
  UserPatch,
  UserPrivacy,
} from './types.ts';
