/**
 * The one table of settings. File keys, environment variables, flags, help, parsing, `config print`
 * and the table in the README are all generated from it, so they cannot disagree.
 */
import { LIMITS } from '../../../protocol/base/limits.ts';
import type { ConsoleMode } from '../../edge/console/served.ts';
import { type Setting, setting } from './setting.ts';
import { address, bytes, choice, count, hours, limitsPerMinute, milliseconds, originList, path, pattern, toggle } from './setting-kinds.ts';
import { WATCHING_SETTINGS } from './watching-settings.ts';

const GiB = 1024 ** 3;
const MiB = 1024 ** 2;

export const SETTINGS = {
  listen: setting({
    key: 'listen',
    doc: 'Address and port to listen on. Port 0 takes any free port; the chosen one is printed.',
    kind: address,
    fallback: { host: '127.0.0.1', port: 8800 },
  }),
  data: setting({
    key: 'data',
    doc: 'Data directory: journal, snapshots, credentials, lock file. Made when missing.',
    kind: path,
    fallback: './rosterd-data',
    isPath: true,
  }),
  log: setting<string | undefined>({
    key: 'log',
    doc: 'The PostgreSQL database that several daemons share in place of the journal: `postgres://user:password@host1,host2/database`. It needs `api_key`, `api_secret` and `public_url`, the same for all of them. Other users of the machine can read flags: prefer the variable, the file, or `PGPASSWORD`.',
    kind: pattern('a postgres:// URL', '<url>', /^postgres(ql)?:\/\/\S+$/),
    fallback: undefined,
    fallbackText: 'the journal in the data directory',
    secret: true,
  }),
  logRequireSync: setting({
    key: 'log.require_sync',
    doc: 'Where daemons share a database: writes are refused while it has no synchronous standby, since a failover could lose them.',
    kind: toggle,
    fallback: true,
  }),
  nodeName: setting<string | undefined>({
    key: 'node.name',
    doc: 'The name of this daemon among those that share a database, a different one for each.',
    kind: pattern('1 to 64 letters, digits, ., _ or -', '<name>', /^[\w.-]{1,64}$/),
    fallback: undefined,
    fallbackText: 'the name of the machine and the port',
  }),
  apiKey: setting<string | undefined>({
    key: 'api_key',
    doc: 'Public key of the application, sent with every request. Give it together with `api_secret`.',
    kind: pattern('1 to 128 letters, digits, _ or -', '<key>', /^[\w-]{1,128}$/),
    fallback: undefined,
    fallbackText: 'made on first start',
  }),
  apiSecret: setting<string | undefined>({
    key: 'api_secret',
    doc: 'Secret that signs tokens. Fewer than 32 characters, or a well-known sample, only works on loopback. Other users of the machine can read flags: prefer the variable or the file.',
    kind: pattern('1 to 512 printable ASCII characters without spaces', '<secret>', /^[\x21-\x7e]{1,512}$/),
    fallback: undefined,
    fallbackText: 'made on first start',
    secret: true,
  }),
  ...WATCHING_SETTINGS,
  tlsCert: setting<string | undefined>({
    key: 'tls_cert',
    doc: 'File with the TLS certificate chain (PEM). Give it together with `tls_key`.',
    kind: path,
    fallback: undefined,
    fallbackText: 'no TLS',
    isPath: true,
  }),
  tlsKey: setting<string | undefined>({
    key: 'tls_key',
    doc: 'File with the private TLS key (PEM).',
    kind: path,
    fallback: undefined,
    fallbackText: 'no TLS',
    isPath: true,
  }),
  origins: setting<readonly string[]>({
    key: 'origins',
    doc: 'Browser origins that may connect. Empty: only pages of the same host, and callers that send no `Origin`. `*`: all.',
    kind: originList,
    fallback: [],
    fallbackText: 'none',
  }),
  console: setting<ConsoleMode>({
    key: 'console',
    doc: "The operator's console at `/console`, which a link of `rosterd console` opens: `on`, `off`, or on `loopback` only, for browsers on this machine that no proxy passes on. A proxy on this machine that sends neither `X-Forwarded-For`, `Forwarded` nor the host that was asked for cannot be told from a browser: set `off` there, or keep `/console` out of the proxy.",
    kind: choice(['off', 'loopback', 'on']),
    fallback: 'loopback',
  }),
  connectRole: setting<'refuse' | 'keep'>({
    key: 'connect.role',
    doc: 'A client connects with a role that differs from the stored one: `refuse` the connection, or `keep` the stored role and warn.',
    kind: choice(['refuse', 'keep']),
    fallback: 'refuse',
  }),
  connectGuard: setting<'guard' | 'merge'>({
    key: 'connect.guard',
    doc: 'User details sent on connect: `guard` writes only values that the same user has not sent lately, so that stale phones roll nothing back; `merge` writes all.',
    kind: choice(['guard', 'merge']),
    fallback: 'guard',
  }),
  connectionsMax: setting({
    key: 'connections_max',
    doc: 'Live connections at the same time; more are turned away.',
    kind: count(1, 10_000_000),
    fallback: 100_000,
  }),
  connectionsPerIpMax: setting({
    key: 'connections_per_ip_max',
    doc: 'Live connections from one address, or one /64 of IPv6. Leave 0 behind a proxy, where all clients share one address.',
    kind: count(1, 10_000_000, 'no limit'),
    fallback: 0,
  }),
  guestsPerIpMax: setting<number>({
    key: 'guests_per_ip_max',
    doc: 'Guests created from one address, or one /64 of IPv6, within a day; the loopback address is not counted. Set 0 behind a proxy on another machine: then all other limits for anonymous callers and guests of one address are off, too.',
    kind: count(1, 10_000_000, 'no limit'),
    fallback: LIMITS.guestsPerAddress,
  }),
  connectsWaitingMax: setting({
    key: 'connects_waiting_max',
    doc: 'Connects that may wait for their turn when many clients come back at once; more are asked to come back a little later.',
    kind: count(0, 1_000_000),
    fallback: 2_000,
  }),
  rateLimits: setting<'off' | 'clients' | 'all'>({
    key: 'rate_limits',
    doc: 'The callers that are rate-limited: none, those with a user token, or server tokens as well.',
    kind: choice(['off', 'clients', 'all']),
    fallback: 'clients',
  }),
  rateLimitOverrides: setting<Readonly<Record<string, number>>>({
    key: 'rate_limit',
    doc: 'Requests per minute for single endpoints in place of the built-in limits. In the file: `{"UpdateUsers": 300}`.',
    kind: limitsPerMinute,
    fallback: {},
    fallbackText: 'built-in limits',
  }),
  retentionBytes: setting({
    key: 'retention_bytes',
    doc: 'History kept in the journal for subscribers that resume, in bytes. What a restart needs is kept in any case.',
    kind: bytes(MiB, 1024 * GiB, 'no limit'),
    fallback: GiB,
  }),
  retentionAgeMs: setting({
    key: 'retention_age_h',
    doc: 'The same by age, in hours.',
    kind: hours(0.01, 87_600, 'no limit'),
    fallback: 7 * 24 * 3_600_000,
  }),
  retentionChanges: setting({
    key: 'retention_changes',
    doc: 'The same by number of changes.',
    kind: count(1, 1_000_000_000, 'no limit'),
    fallback: 0,
  }),
  snapshotChanges: setting({
    key: 'snapshot_changes',
    doc: 'A snapshot is written after so many changes, never fewer than half of the users, and at every clean stop. Fewer make restarts faster.',
    kind: count(100, 1_000_000_000),
    fallback: 250_000,
  }),
  historyBytes: setting({
    key: 'history_bytes',
    doc: 'Memory for recent events: subscribers that resume within it are served without reading the disk.',
    kind: bytes(64 * 1024, 64 * GiB),
    fallback: 64 * MiB,
  }),
  outboxBytesMax: setting({
    key: 'outbox_bytes_max',
    doc: 'Bytes that may wait for one live connection. A slower reader is closed with 4013 and resumes.',
    kind: bytes(64 * 1024, GiB),
    fallback: MiB,
  }),
  liveCompression: setting({
    key: 'live_compression',
    doc: 'Whether live clients that offer it (permessage-deflate) get compressed what many of them get: a tenth of the bytes, packed once for all.',
    kind: toggle,
    fallback: true,
  }),
  drainMs: setting({
    key: 'drain_ms',
    doc: 'Time that a stop leaves to its peers, in milliseconds: the goodbyes to live connections are spread over most of it, and at its end all connections are cut.',
    kind: milliseconds(0, 600_000),
    fallback: 5_000,
  }),
  presenceGraceMs: setting({
    key: 'presence.grace_ms',
    doc: 'How long a user whose last connection ended still counts as online, in milliseconds; a reconnect within that time causes no event.',
    kind: milliseconds(0, 600_000),
    fallback: 10_000,
  }),
  idsReuseHardDeleted: setting({
    key: 'ids.reuse_hard_deleted',
    doc: 'A hard-deleted id may be created again. When false, it stays taken for good.',
    kind: toggle,
    fallback: false,
  }),
  publicUrl: setting<string | undefined>({
    key: 'public_url',
    doc: 'Where clients reach the daemon, when it stands behind a proxy: links to exports and uploads begin with it.',
    kind: pattern('an http or https URL without a slash at the end', '<url>', /^https?:\/\/[^\s?#]*[^\s?#/]$/),
    fallback: undefined,
    fallbackText: 'the address listened on',
  }),
  tasksKeptMs: setting({
    key: 'tasks.keep_h',
    doc: 'How long a finished task can still be asked for, in hours.',
    kind: hours(0.01, 87_600),
    fallback: 7 * 24 * 3_600_000,
  }),
  exportsKeptMs: setting({
    key: 'exports.keep_h',
    doc: 'How long the file of an export, and its task, are kept, in hours.',
    kind: hours(0.01, 87_600),
    fallback: 60 * 24 * 3_600_000,
  }),
  historyKeptMs: setting({
    key: 'history.keep_h',
    doc: 'How long the history of users (who changed whom, from where, which fields) is kept, in hours.',
    kind: hours(0.01, 87_600, 'no history: what there is of it is removed'),
    fallback: 90 * 24 * 3_600_000,
  }),
  historyBytesMax: setting({
    key: 'history.bytes_max',
    doc: 'Disk space for the history of users; beyond it the oldest changes go. A change takes about 150 bytes.',
    kind: bytes(MiB, 64 * GiB),
    fallback: GiB,
  }),
  receiptsKeptMs: setting({
    key: 'idempotency.keep_h',
    doc: 'How long a request with an `Idempotency-Key` can be repeated without being carried out again, in hours.',
    kind: hours(0.01, 87_600),
    fallback: 24 * 3_600_000,
  }),
  webhooksOutboxBytesMax: setting({
    key: 'webhooks.outbox_bytes_max',
    doc: 'History kept in the journal for webhooks that are behind, in bytes. Beyond it they lose events, and the log says so.',
    kind: bytes(MiB, 1024 * GiB),
    fallback: 4 * GiB,
  }),
  webhooksConcurrency: setting({
    key: 'webhooks.concurrency',
    doc: 'Requests of one webhook at the same time. Events of one user always go one after the other.',
    kind: count(1, 1_000),
    fallback: 8,
  }),
  webhooksRetryMs: setting({
    key: 'webhooks.retry_h',
    doc: 'How old an event may become before its delivery is given up and it is a dead letter, in hours.',
    kind: hours(0.001, 8_760),
    fallback: 24 * 3_600_000,
  }),
  webhooksDeadKeptMs: setting({
    key: 'webhooks.dead_keep_h',
    doc: 'How long events that could not be delivered are kept, to be looked at and replayed, in hours.',
    kind: hours(0.01, 87_600),
    fallback: 168 * 3_600_000,
  }),
  webhooksAllowPrivate: setting({
    key: 'webhooks.allow_private',
    doc: 'Delivers webhooks to addresses that are not on the public internet too: loopback, private networks, link-local. Off, nobody who may change the settings can make the daemon call what only it can reach.',
    kind: toggle,
    fallback: false,
  }),
  staleMaxMs: setting({
    key: 'cluster.stale_max_ms',
    doc: 'Where several daemons share a storage: how long this one serves what it knows while the storage is away, in milliseconds. Then its live connections go elsewhere, and reads are refused.',
    kind: milliseconds(1_000, 3_600_000),
    fallback: 60_000,
  }),
  compatStubs: setting({
    key: 'compat.stubs',
    doc: 'Serves empty stand-ins for a few channel endpoints, marked with `X-Rosterd-Stub: 1`: some client test suites cannot start without them.',
    kind: toggle,
    fallback: false,
  }),
} as const;

type Widened<T> = T extends boolean ? boolean : T;

/**
 * All settings of `rosterd serve`, checked. Times in milliseconds (`…Ms`), sizes in bytes (`…Bytes`), paths absolute.
 * 0 in `connectionsPerIpMax` and the three retentions means "no limit". The table above describes each field.
 */
export type Config = { readonly [Field in keyof typeof SETTINGS]: Widened<(typeof SETTINGS)[Field]['fallback']> };
export type Field = keyof Config;

/** The table without the types of the values, for code that treats all settings alike. In the order of the documentation. */
export const ALL_SETTINGS: readonly (readonly [Field, Setting<unknown>])[] = Object.keys(SETTINGS).flatMap((name) =>
  isField(name) ? [[name, SETTINGS[name]] as const] : [],
);

function isField(name: string): name is Field {
  return Object.hasOwn(SETTINGS, name);
}
