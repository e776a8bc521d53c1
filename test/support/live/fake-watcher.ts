/** `rosterd watch` as a test drives it, and what the fake daemon sends it. */
import { type WatchEnd, type WatchOptions, watch } from '../../../daemon/cli/watch/watch.ts';
import type { Frame } from './fake-live.ts';

export const ok = { type: 'connection.ok', connection_id: 'c', epoch: 'e1', seq: 10, heartbeat_ms: 25_000, resumed: false };

export const event = (seq: number, id = 'ann') => ({
  type: 'user.updated',
  seq,
  created_at: '2026-05-17T14:35:23.313097Z',
  user: { id, rev: seq },
});

interface Watched {
  readonly end: WatchEnd;
  readonly seqs: unknown[];
  readonly events: Frame[];
  readonly talk: string[];
  readonly pauses: number[];
}

/** The link waits so long only for a sign of life. */
const SILENCE_MS = 20_000;

/** Watches until `count` events are there, or three things were said. Pauses pass at once; silence ends a connection only if `silence` says so, and then the first. */
export async function watchUntil(
  url: string,
  count: number,
  setup: Partial<Pick<WatchOptions, 'presence' | 'transports' | 'token' | 'interest'>> & {
    silence?: boolean;
    onConnected?: () => void;
  } = {},
): Promise<Watched> {
  const { silence = false, onConnected, ...options } = setup;
  const stop = new AbortController();
  const events: Frame[] = [];
  const talk: string[] = [];
  const pauses: number[] = [];
  const end = await watch(
    { url, apiKey: 'key', token: () => 'a.b.c', interest: { all: true }, ...options },
    {
      after: (ms, work) => {
        if (ms < SILENCE_MS) pauses.push(ms);
        else if (!silence || talk.length !== 1) return () => {};
        const timer = setTimeout(work, ms < SILENCE_MS ? 0 : 20);
        return () => clearTimeout(timer);
      },
      random: () => 0.5,
      onEvent: (got) => {
        events.push(got);
        if (events.length === count) stop.abort();
        return undefined;
      },
      onTalk: (text) => {
        talk.push(text);
        if (talk.length === 1) onConnected?.();
        if (count === 0 && talk.length === 3) stop.abort();
      },
      stop: stop.signal,
    },
  );
  return { end, seqs: events.map(({ seq }) => seq), events, talk, pauses };
}
