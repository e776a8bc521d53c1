/** Live connections, and what is sent over them. */
import { CLOSE } from '../../protocol/live/close-codes.ts';
import { inTrustedSlices } from '../base/slices.ts';
import type { LiveCounts } from '../edge/live/live-counts.ts';
import type { Roster } from '../pipeline/roster.ts';
import { by, counter, gauge, type MetricSpec, times } from './metric-spec.ts';

export interface LiveSources {
  readonly roster: Pick<Roster, 'hub' | 'presence' | 'directory' | 'position'>;
  readonly live: LiveCounts;
  readonly admission: { readonly connections: number };
  readonly gate: { readonly waiting: number; readonly refused: number };
}

export const LIVE_METRICS: readonly MetricSpec<LiveSources>[] = [
  gauge('connections', '', 'Live connections that are open.', ({ admission }) => admission.connections),
  counter('connections_opened_total', 'protocol', 'Live connections that were let in.', ({ live }) =>
    by('protocol', Object.entries(live.opened)),
  ),
  counter('connections_closed_total', 'code', 'Live connections that ended, by close code; 1006: cut.', ({ live }) =>
    by('code', live.closed),
  ),
  counter(
    'connections_refused_total',
    'reason',
    'Live connections, and connects (reason connects_waiting_max), that were turned away.',
    (from) => by('reason', [...Object.entries(from.live.refused), ['connects_waiting_max', from.gate.refused]]),
  ),
  gauge('connects_waiting', '', 'Connects that wait for their turn.', ({ gate }) => gate.waiting),
  gauge('users_online', '', 'Users that others see as online, on all nodes.', ({ roster }) => roster.presence.visible.size),
  gauge('subscriptions', 'kind', 'Subscriptions, by what they ask for; watch: users whose presence a query asked for.', ({ roster }) =>
    by('kind', Object.entries(roster.hub.counts.interests)),
  ),
  counter('resumes_total', 'result', 'Connections that named a position: resumed after it, or told to start over (resync).', ({ live }) =>
    by('result', Object.entries(live.resumes)),
  ),
  times('heartbeat_rtt_seconds', '', 'Time from a ping to its pong, over WebSockets.', ({ live }) => live.roundTrips),
  counter('events_total', 'type', 'Events published. All types of the application itself are counted as custom.', ({ roster }) =>
    by('type', roster.hub.counts.events),
  ),
  counter('frames_sent_total', 'protocol', 'Messages sent over live connections.', ({ live }) =>
    by('protocol', trafficOf(live, 'framesSent')),
  ),
  counter('sent_bytes_total', 'protocol', 'Bytes of these messages.', ({ live }) => by('protocol', trafficOf(live, 'bytesSent'))),
  counter('received_bytes_total', 'protocol', 'Bytes of messages received over live connections.', ({ live }) =>
    by('protocol', trafficOf(live, 'bytesReceived')),
  ),
  times(
    'event_delivery_delay_seconds',
    '',
    'Time from the moment at which an entry is durable and applied until its hand-out is written to the last socket, counted once per delivery. Receivers that are behind are not in it.',
    ({ roster }) => roster.hub.counts.delays,
  ),
  gauge('outbox_bytes', '', 'Bytes that wait to be taken by the sockets of subscribers.', ({ roster }) =>
    inTrustedSlices(roster.hub.counts.outboxBytes()),
  ),
  counter(
    'slow_readers_total',
    'outcome',
    'Subscribers that were too slow: sent to read the past (behind), or closed.',
    ({ roster, live }) =>
      by('outcome', [
        ['behind', roster.hub.stats.fellBehind],
        ['closed', live.closed.get(String(CLOSE.slow.code)) ?? 0],
      ]),
  ),
  gauge('consumer_lag_events', 'consumer', 'Positions of the log that a durable consumer has not acknowledged.', ({ roster }) =>
    by('consumer', consumerLags(roster)),
  ),
];

function trafficOf({ traffic }: LiveCounts, what: keyof LiveCounts['traffic']['live']): [string, number][] {
  return Object.entries(traffic).map(([protocol, counts]) => [protocol, counts[what]]);
}

function* consumerLags({ directory, position }: LiveSources['roster']): Iterable<readonly [string, number]> {
  for (const { name, epoch, seq } of directory.docs.all('consumer')) {
    yield [name, epoch === position.epoch ? Math.max(0, position.seq - seq) : position.seq];
  }
}
