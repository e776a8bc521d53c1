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

/** Watches until `count` events are there, or three things were said. Pauses pass at once; the watch for silence never fires unless `silence` says so. */
export async function watchUntil(
  url: string,
  count: number,
  setup: Pick<WatchOptions, 'presence' | 'transports'> & {
    interest?: WatchOptions['interest'];
    silence?: boolean;
    onConnected?: () => void;
  } = {},
): Promise<Watched> {
  const { interest = { all: true }, silence = false, onConnected, ...options } = setup;
  const stop = new AbortController();
  const events: Frame[] = [];
  const talk: string[] = [];
  const pauses: number[] = [];
  let nowMs = 0;
  let isSilent = silence;
  const untilAborted = (signal: AbortSignal | undefined) =>
    new Promise<void>((resolve) => signal?.addEventListener('abort', () => resolve(), { once: true }));
  const end = await watch(
    { url, apiKey: 'key', token: () => 'a.b.c', interest, ...options },
    {
      clock: {
        now: () => nowMs,
        sleep: async (ms, signal) => {
          if (signal === stop.signal) pauses.push(ms);
          else if (isSilent && talk.length > 0) {
            isSilent = false;
            nowMs += ms;
          } else if (!signal?.aborted)
            await Promise.race([untilAborted(signal), new Promise((resolve) => setTimeout(resolve, isSilent ? 20 : 60_000).unref())]);
        },
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
