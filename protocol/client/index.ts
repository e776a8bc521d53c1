/** `rosterd/client`: users over HTTP, and a live connection that comes back by itself and misses nothing. Runs in a browser and in Node. */

export type { BanOptions } from './admin-api.ts';
export { RosterClientError } from './client-error.ts';
export { digest } from './digest.ts';
export { connect, FeedsClient, type FeedsUser, type FeedsUserData } from './feeds.ts';
export type { RosterClientOptions } from './options.ts';
export { RosterClient } from './roster-client.ts';
export { type ApiSecret, apiSecret } from './secret.ts';
export type { TokenSource } from './token-keeper.ts';
export type {
  AppUser,
  ClientEvents,
  ConnectedUser,
  ConnectionState,
  ExportEvent,
  Filter,
  ImportEvent,
  LiveUser,
  QueryOptions,
  SortField,
  Subscription,
  UserData,
  UserEvent,
  UserGroupEvent,
  UserPatch,
} from './types.ts';
export type { TaskAnswer, TaskStarted, UserAnswer, UsersAnswer, WriteOptions } from './users-api.ts';
