/**
 * Every limit of rosterd, in one place. Units are the last word of each name.
 * The relations between them are asserted when the module loads, so that a
 * change to one that breaks another stops the process at start, not at 3 a.m.
 */
export const LIMITS = {
  /** Users in one upsert, partial update, delete, deactivate, reactivate or restore request. */
  batchUsers: 100,
  /** Length of a user id. */
  idChars: 255,
  /** name + image + custom as compact UTF-8 JSON, sent by a server. */
  serverUserBytes: 10_240,
  /** The same, sent over a client connection or with a client token. */
  clientUserBytes: 5_120,
  /** Nesting of custom data. */
  customDepth: 32,
  teamsPerUser: 250,
  teamBytes: 100,
  /** Length of a role name. */
  roleChars: 255,

  /** Body of an HTTP request, after decompression. */
  bodyBytes: 2 * 1024 * 1024,
  /** One frame from a live client. */
  frameBytes: 64 * 1024,
  /** Ids in one live subscription. */
  subIds: 1_000,
  /** Subscriptions of one connection. */
  subsPerConnection: 32,
  /** Live sockets of one user; one more closes the oldest. */
  socketsPerUser: 50,
  /** Users in one page of a subscription's snapshot. */
  snapshotPageUsers: 1_000,

  queryLimitDefault: 30,
  queryLimitMax: 100,
  queryOffsetMax: 1_000,
  querySortFields: 5,
  queryInValues: 100,
  queryDepth: 5,

  /** Facts in one entry. The sequencer closes a batch before it would exceed this. */
  entryFacts: 2_000,
  /** Bytes of one entry in the journal. A longer length in a record header is damage. */
  entryBytes: 64 * 1024 * 1024,

  /** Tasks kept by the directory; the oldest finished one goes first. */
  tasksKept: 10_000,
  /** Entry and request ids remembered, to find out what became of an append whose answer was lost. */
  requestIdsKept: 10_000,

  /** A live socket must send its connect frame within this time. */
  connectTimeoutMs: 10_000,
  heartbeatMs: 25_000,
  /** How long a peer may leave heartbeats unanswered; counted in whole heartbeats. */
  idleTimeoutMs: 60_000,
  /** Leeway for iat, nbf and exp. */
  tokenLeewayS: 5,
} as const;

function assertLimits(): void {
  const relations: readonly [boolean, string][] = [
    [LIMITS.clientUserBytes <= LIMITS.serverUserBytes, 'clientUserBytes must not exceed serverUserBytes'],
    [LIMITS.batchUsers * LIMITS.serverUserBytes < LIMITS.bodyBytes, 'a full batch of the largest users must fit into a request body'],
    [LIMITS.clientUserBytes < LIMITS.frameBytes, 'the largest client user must fit into a frame'],
    [LIMITS.batchUsers < LIMITS.entryFacts, 'one command must fit into an entry'],
    [LIMITS.heartbeatMs * 2 < LIMITS.idleTimeoutMs, 'a peer must be able to miss one heartbeat'],
    [LIMITS.queryLimitDefault <= LIMITS.queryLimitMax, 'the default page must be allowed'],
  ];
  for (const [holds, text] of relations) if (!holds) throw new Error(`limits: ${text}`);
}
assertLimits();
