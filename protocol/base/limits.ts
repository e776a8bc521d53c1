/**
 * Every limit of rosterd, in one place. Units are the last word of each name.
 * The module asserts the relations between them when it loads, so that a change
 * that breaks one stops the process at its start, not at 3 a.m.
 */
/**
 * Quotas: everything that a client can make has a bound in total (BU8), as a limit per minute alone bounds nothing. What has a number per
 * user has none beside it where the number of users bounds the whole.
 */
const QUOTAS = {
  /** Roles that can be created beside the built-in ones. */
  customRoles: 25,
  /** Guests that are created from one address in a day. */
  guestsPerAddress: 1_000,
  groups: 10_000,
  membersPerGroup: 1_000,
  /** One more drops the oldest. */
  devicesPerUser: 25,
  /** Channels for which one user has separate preferences. */
  pushChannelsPerUser: 100,
  /** Bans of one user: one for the application, one for each channel, one for the future channels of each moderator. */
  bansPerUser: 250,
  /** Users that one user mutes. A rendering of the muter can include the record of each. */
  mutesPerUser: 500,
  blocksPerUser: 1_000,
  /** Reports kept about one user; the oldest is dropped first. */
  flagsPerUser: 100,
  /** Users that one user reports. */
  flagsPerReporter: 1_000,
  /** Activities that one user has in its feeds, and those of the application: beyond that, clients add no more. */
  activitiesPerUser: 500,
  activities: 50_000,
  /** Feeds that the feeds of one user follow, and follows of the application. */
  followsPerUser: 2_000,
  follows: 1_000_000,
  /** Durable consumers of the application. */
  consumers: 1_000,
  /** Sign-ins to the console at the same time, those that ended a few minutes ago included. */
  signIns: 100,
  /** Subscriptions of one connection. */
  subsPerConnection: 32,
  /** Conditions in all filters of one connection. */
  conditionsPerConnection: 400,
  /** What the live connections of one user hold together: conditions of filters, their bytes, ids and teams, unfinished snapshots. */
  conditionsPerUser: 800,
  filterBytesPerUser: 256 * 1024,
  subIdsPerUser: 20_000,
  snapshotsPerUser: 64,
  /**
   * The same for anonymous callers and guests, as anybody can be as many of them as they like: those from one network (an IPv4 address, the
   * /64 of an IPv6 address), and all of them. An id takes about 300 bytes.
   */
  subsPerNetwork: 4_000,
  subsOfStrangers: 40_000,
  conditionsPerNetwork: 4_000,
  conditionsOfStrangers: 20_000,
  filterBytesPerNetwork: 1024 * 1024,
  filterBytesOfStrangers: 8 * 1024 * 1024,
  subIdsPerNetwork: 40_000,
  subIdsOfStrangers: 400_000,
  snapshotsPerNetwork: 200,
  snapshotsOfStrangers: 2_000,
  /** Live sockets of one user; one more closes the oldest. */
  socketsPerUser: 50,
  /** Receipts of requests with an `Idempotency-Key` of one user, and of all callers without a user: the oldest are dropped first. */
  receiptsPerUser: 1_000,
  receiptsOfNobody: 10_000,
} as const;

export const LIMITS = {
  ...QUOTAS,
  /** Users in one upsert, partial update, delete, deactivate, reactivate or restore request. */
  batchUsers: 100,
  /** Parts into which users are cut to be compared with a copy, and those that one list may name. */
  digestParts: 4_096,
  digestPartsNamed: 512,
  /** Revisions in one request to compare; and ids in a copy that is compared as a whole. */
  comparedRevs: 1_000,
  comparedIds: 1_000_000,
  /** Users in one export. */
  exportUsers: 25,
  /** A file that is uploaded for an import. */
  importBytes: 300 * 1024 * 1024,
  /** Sync plans that are kept. Beyond it, the oldest of those that are over goes. */
  plans: 50,
  /** A file that is uploaded to be planned. */
  planSourceBytes: 64 * 1024 * 1024,
  /** A plan file: twice as many users as such a source could have, each with the values that it replaces. */
  planBytes: 256 * 1024 * 1024,
  /** The map of a plan, as JSON. */
  planMapBytes: 64 * 1024,
  /** Rows of a source that are shown before it is planned. */
  planRowsShown: 5,
  /** Errors that an import lists; it counts all of them. */
  importErrorsKept: 100,
  /** The time during which the link to an export works, and an upload may begin. */
  signedUrlS: 24 * 3_600,

  /** Length of a user id. */
  idChars: 255,
  /** name + image + custom as compact UTF-8 JSON, sent by a server. */
  serverUserBytes: 10_240,
  /** Like `serverUserBytes`, sent over a client connection or with a client token. */
  clientUserBytes: 5_120,
  /** Nesting of custom data. */
  customDepth: 32,
  teamsPerUser: 250,
  teamBytes: 100,
  /** Length of a role name. */
  roleChars: 255,
  /** Length of the name of a role that is created. */
  customRoleChars: 64,

  /** Permissions that can be created beside the built-in ones, and what each of them holds. */
  customPermissions: 100,
  permissionTextChars: 255,
  permissionTags: 20,
  permissionConditionBytes: 1_024,

  /** Members in one request to create a group, or to add or remove members. */
  membersPerRequest: 100,
  groupNameChars: 255,
  groupDescriptionChars: 1_024,

  /** Length of a device id: the push token from the provider. */
  deviceIdChars: 1_024,
  /** Length of the names in a device. */
  deviceTextChars: 255,
  /** Preferences in one request. */
  pushPerRequest: 100,
  /** chat_preferences or feeds_preferences as compact UTF-8 JSON. */
  pushPreferenceBytes: 1_024,
  /** Length of a channel's cid. */
  cidChars: 320,

  /** Reason of a ban or a report. */
  reasonChars: 500,
  /** Custom data of a report, as compact UTF-8 JSON. */
  flagCustomBytes: 2_048,
  /** The longest temporary ban or mute: 100 years. */
  timeoutMinutes: 52_560_000,

  /** `data` of a user in the feeds dialect as compact UTF-8 JSON, from any caller. */
  feedsDataBytes: 10_240,
  /** One activity, without id, time and feeds, as compact UTF-8 JSON. */
  activityBytes: 10_240,
  activitiesPerRequest: 100,
  /** References to users, objects, activities and reactions in one activity: an enriched read replaces each by a record. */
  referencesPerActivity: 20,
  /** Feeds, beside its own, to which one request adds an activity. */
  targetsPerActivity: 100,
  /** Feeds that can contain one activity. */
  feedsPerActivity: 500,
  /** Feeds that one feed follows: a read of it looks at each of them. */
  followsPerFeed: 5_000,
  /** Activities that a feed shows of those that another one had before it was followed. */
  activityCopiesDefault: 100,
  activityCopies: 1_000,
  activityPageDefault: 25,
  activityPageMax: 100,

  /** Body of an HTTP request, after decompression. */
  bodyBytes: 2 * 1024 * 1024,
  /** The same from a caller without a user: it creates a guest, and nothing else. */
  anonymousBodyBytes: 64 * 1024,
  /** Values in it, from a server and from a client: texts, numbers, lists, objects. Parsing 20,000 takes up to ten milliseconds. */
  bodyValues: 100_000,
  clientBodyValues: 20_000,
  /** Nesting of a body, of JSON in a query and of a frame: custom data, and what leads to it. Nothing that walks JSON recurses further. */
  jsonDepth: 64,
  /** All bodies of clients that are arriving, or wait to be read: beyond it, long ones are refused for the moment. */
  clientBodiesBytes: 64 * 1024 * 1024,
  /**
   * Answers that wait until their peers take them: of one client, of the strangers of a network, of all strangers, of all clients. A request
   * counts as the reserve until its answer is known.
   */
  answerReserveBytes: 64 * 1024,
  answersOfCallerBytes: 8 * 1024 * 1024,
  answersOfNetworkBytes: 16 * 1024 * 1024,
  answersOfStrangersBytes: 64 * 1024 * 1024,
  answersOfClientsBytes: 256 * 1024 * 1024,
  /** A peer that takes nothing of its answer for this long is cut. */
  answerStallMs: 10_000,
  /** One answer to a client that only reads. Nothing that is found by a page comes near. */
  answerBytes: 8 * 1024 * 1024,
  /** The users that stand in one answer beside what it lists (in blocks, mutes, bans, activities): beyond it, in short form. */
  embeddedBytes: 2 * 1024 * 1024,
  /** The same for the mutes in the record of a user. */
  embeddedInMutesBytes: 512 * 1024,
  /** The longest name of a user in short form. */
  shortNameChars: 255,
  /** How far a body may be compressed, when it is longer than this unpacked. */
  compressionRatio: 200,
  ratioFreeBytes: 64 * 1024,
  /** One frame from a live client. */
  frameBytes: 64 * 1024,
  /** Ids in one live subscription. */
  subIds: 1_000,
  /** Users in one page of a subscription's snapshot. */
  snapshotPageUsers: 1_000,

  queryLimitDefault: 30,
  queryLimitMax: 100,
  queryOffsetMax: 1_000,
  querySortFields: 5,
  queryInValues: 100,
  queryDepth: 5,
  /** The text of `$autocomplete` and `$q`. */
  searchTextChars: 255,
  /** The beginning of a name or another field in which a text is searched: a longer one would take milliseconds for one user. */
  searchedChars: 1_024,
  /** Comparisons that one user can need: each test is one, and so is each word of a searched text and each object in a list. */
  filterConditions: 100,
  /** A filter as compact UTF-8 JSON. */
  filterBytes: 32 * 1024,
  /**
   * The work of one query: comparisons, and a few bytes of text each, in units of about ten nanoseconds. A walk over a million users takes
   * about a tenth of it.
   */
  queryUnits: 200_000_000,
  /** The work of all queries and snapshots of one user in a minute. */
  userUnitsPerMinute: 1_000_000_000,

  /** Facts in one entry. The sequencer closes a batch before it would exceed this. */
  entryFacts: 2_000,
  /** Bytes of one entry in the journal. A record header with a longer length is damaged. */
  entryBytes: 64 * 1024 * 1024,

  /** Tasks that the directory keeps; the oldest finished task is dropped first. */
  tasksKept: 10_000,
  /** Receipts of requests with an `Idempotency-Key` that the directory keeps; the oldest are dropped first. */
  receiptsKept: 100_000,
  /** Length of an `Idempotency-Key`. */
  idempotencyKeyChars: 255,
  /** The part of a client's self-description (`X-Stream-Client`) that the history of a user shows. */
  clientNameChars: 64,
  /** Days and months for which active users are kept. */
  usageDaysKept: 400,
  usageMonthsKept: 36,
  /** Days in one query for the usage of teams. */
  usageRangeDays: 366,
  /** Teams in one page of team usage. */
  usageTeams: 30,
  /** A user that connects again within this time, and on the same day, causes no write. */
  activityStepMs: 15 * 60_000,
  /** Data of one custom event, as compact UTF-8 JSON. */
  eventBytes: 5_120,
  /** Length of the type of a custom event. */
  eventTypeChars: 255,

  /** Entry and request ids remembered, to find the outcome of an append whose answer was lost. */
  requestIdsKept: 10_000,

  /** A live socket must send its connect frame within this time. */
  connectTimeoutMs: 10_000,
  heartbeatMs: 25_000,
  /** A peer is dead this long after the first heartbeat that it left unanswered: by then, it has left two unanswered. */
  idleTimeoutMs: 50_000,
  /** Leeway for iat, nbf and exp. */
  tokenLeewayS: 5,
} as const;

function assertLimits(): void {
  const relations: readonly [boolean, string][] = [
    [LIMITS.clientUserBytes <= LIMITS.serverUserBytes, 'clientUserBytes must not exceed serverUserBytes'],
    [LIMITS.batchUsers * LIMITS.serverUserBytes < LIMITS.bodyBytes, 'a full batch of the largest users must fit into a request body'],
    [LIMITS.answerBytes <= LIMITS.answersOfCallerBytes, 'the longest answer must be allowed to a client'],
    [LIMITS.answersOfCallerBytes <= LIMITS.answersOfNetworkBytes, 'the answers of a guest must be allowed to its network'],
    [LIMITS.answersOfNetworkBytes <= LIMITS.answersOfStrangersBytes, 'the answers of a network must be allowed to strangers'],
    [LIMITS.answersOfStrangersBytes < LIMITS.answersOfClientsBytes, 'strangers must leave room for the answers of users'],
    [LIMITS.embeddedInMutesBytes <= LIMITS.embeddedBytes, 'the mutes of one user must fit into an answer'],
    [2 * LIMITS.embeddedBytes < LIMITS.answerBytes, 'embedded users must leave room in an answer'],
    [LIMITS.clientUserBytes < LIMITS.frameBytes, 'the largest client user must fit into a frame'],
    [2 * LIMITS.customDepth <= LIMITS.jsonDepth, 'the deepest custom data must fit into a body'],
    [LIMITS.eventBytes < LIMITS.bodyBytes, 'the largest custom event must fit into a request body'],
    [LIMITS.usageRangeDays <= LIMITS.usageDaysKept, 'a range of usage must lie within what is kept'],
    [LIMITS.batchUsers < LIMITS.entryFacts, 'one command must fit into an entry'],
    [LIMITS.activitiesPerRequest < LIMITS.entryFacts, 'the activities of one request must fit into an entry'],
    [
      LIMITS.activitiesPerRequest * LIMITS.activityBytes < LIMITS.bodyBytes,
      'a full request of the largest activities must fit into a body',
    ],
    [LIMITS.filterConditions <= LIMITS.conditionsPerConnection, 'a full filter must fit into a connection'],
    [LIMITS.conditionsPerConnection <= LIMITS.conditionsPerUser, 'a full connection must be allowed to a user'],
    [LIMITS.filterBytes <= LIMITS.filterBytesPerUser, 'a full filter must be allowed to a user'],
    [LIMITS.queryUnits <= LIMITS.userUnitsPerMinute, 'one full query in a minute must be allowed'],
    [LIMITS.idleTimeoutMs === 2 * LIMITS.heartbeatMs, 'a peer must be dead after two unanswered heartbeats, and not before'],
    [LIMITS.pushPerRequest < LIMITS.entryFacts, 'push preferences of one request must fit into an entry'],
    [LIMITS.membersPerRequest <= LIMITS.membersPerGroup, 'a full request of members must fit into a group'],
    [LIMITS.customRoleChars <= LIMITS.roleChars, 'a role that can be created must be one that a user can have'],
    [LIMITS.activityCopiesDefault <= LIMITS.activityCopies, 'the default number of copies must be allowed'],
    [LIMITS.queryLimitDefault <= LIMITS.queryLimitMax, 'the default page must be allowed'],
  ];
  for (const [holds, text] of relations) if (!holds) throw new Error(`limits: ${text}`);
}
assertLimits();
