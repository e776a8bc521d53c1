/** `rosterd/client`: a live connection that comes back by itself and misses nothing. Runs in a browser and in Node. */

export { RosterRefusal } from './refusal.ts';
export { RosterClient, type RosterClientOptions, type Subscription } from './roster-client.ts';
export type { ConnectionState, LiveUser, UserEvent } from './types.ts';
