/** WA: a reader of `rosterd watch` that is slow costs a bounded amount of memory, and misses nothing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HELD_MAX, Outflow, type WatchedEvent } from '../../../daemon/cli/watch/outflow.ts';
import { type WatchOptions, watch } from '../../../daemon/cli/watch/watch.ts';
import { type Frame, fakeLive, type Script } from '../../support/live/fake-live.ts';

const base: Omit<WatchOptions, 'url'> = { apiKey: 'key', token: () => 't', interest: { all: true } };

const event = (seq: number, filler = '') => ({ type: 'user.updated', seq, user: { id: `u${seq}`, filler } });

/** A daemon with `count` events behind position 0, which resumes anywhere. */
function log(count: number, filler = ''): Script {
  return (peer, connect) => {
    const resume: Frame | undefined = typeof connect.resume === 'object' ? { ...connect.resume } : undefined;
    const after = typeof resume?.seq === 'number' ? resume.seq : 0;
    peer.send({ type: 'connection.ok', epoch: 'e', seq: after, heartbeat_ms: 25_000, resumed: resume !== undefined });
    for (let seq = after + 1; seq <= count; seq++) peer.send(event(seq, filler), { type: 'health.check', seq });
    // The watcher says so, by which a test knows that everything has arrived.
    peer.send({ type: 'sub.reset' });
  };
}

test('WA10 a slow reader gets one event at a time, each once and in order', async (t) => {
  const daemon = await fakeLive(t, [log(500)]);
  const stop = new AbortController();
  const seqs: unknown[] = [];
  let busy = 0;
  await watch(
    { ...base, url: daemon.url },
    {
      random: () => 0,
      onEvent: async ({ seq }) => {
        assert.equal(++busy, 1);
        await new Promise((resolve) => setImmediate(resolve));
        busy--;
        seqs.push(seq);
        if (seqs.length === 500) stop.abort();
      },
      onTalk: () => {},
      stop: stop.signal,
    },
  );
  assert.deepEqual(
    seqs,
    Array.from({ length: 500 }, (_, i) => i + 1),
  );
  assert.equal(daemon.connects.length, 1, 'what fits is simply held');
});

const backlogs = [
  { name: 'many events', count: 1_000, filler: '', heldMax: { events: 400, bytes: HELD_MAX.bytes }, most: 400 },
  { name: 'big events', count: 60, filler: 'x'.repeat(40_000), heldMax: { events: HELD_MAX.events, bytes: 800_000 }, most: 20 },
];
for (const { name, count, filler, heldMax, most } of backlogs) {
  test(`WA18 a reader that stops reading makes it disconnect, and come back when it has caught up (${name})`, async (t) => {
    const daemon = await fakeLive(t, [log(count, filler)]);
    const stop = new AbortController();
    const seqs: number[] = [];
    const talk: string[] = [];
    const readAtConnect: number[] = [];
    let cameEarly = false;
    let letRead = (): void => {};
    let stuck: Promise<void> | undefined;
    await watch(
      { ...base, url: daemon.url },
      {
        random: () => 0,
        onEvent: ({ seq }) => {
          seqs.push(Number(seq));
          if (seqs.length === count) stop.abort();
          // Reads nothing until the connection is gone, or everything has come, and then all at once; and so again after each connect.
          stuck ??= new Promise((resolve) => {
            letRead = resolve;
          });
          return stuck;
        },
        onTalk: (text) => {
          talk.push(text);
          if (text.startsWith('connected')) {
            readAtConnect.push(seqs.length);
            stuck = undefined;
          } else {
            const connects = daemon.connects.length;
            setTimeout(() => {
              cameEarly ||= daemon.connects.length > connects;
              letRead();
            }, 50);
          }
        },
        heldMax,
        stop: stop.signal,
      },
    );
    assert.deepEqual(
      seqs,
      Array.from({ length: count }, (_, i) => i + 1),
    );
    assert.ok(!cameEarly, 'it does not come back before everything was read');
    assert.equal(talk[1], 'the output is read too slowly; disconnected until it has caught up');
    assert.ok(daemon.connects.length >= 3, `${daemon.connects.length} connections`);
    for (const [index, { resume }] of daemon.connects.entries()) {
      const read = readAtConnect[index] ?? Number.NaN;
      assert.deepEqual(resume, index === 0 ? undefined : { epoch: 'e', seq: read }, 'resumes behind the last event that was read');
      assert.ok(read - (readAtConnect[index - 1] ?? 0) <= most + 1, `${read} of at most ${most} held at once`);
    }
  });
}

test('WA32 what was received before a final goodbye is still handed on', async (t) => {
  const daemon = await fakeLive(t, [
    (peer) => {
      peer.send({ type: 'connection.ok', epoch: 'e', seq: 0, heartbeat_ms: 25_000, resumed: false }, event(1), event(2), event(3));
      peer.close(4403, 'not allowed');
    },
  ]);
  const seqs: unknown[] = [];
  const end = await watch(
    { ...base, url: daemon.url },
    {
      random: () => 0,
      onEvent: async ({ seq }) => {
        await new Promise((resolve) => setTimeout(resolve, 20));
        seqs.push(seq);
      },
      onTalk: () => {},
      stop: new AbortController().signal,
    },
  );
  assert.deepEqual(end, { kind: 'refused', reason: 'not allowed' });
  assert.deepEqual(seqs, [1, 2, 3]);
});

test('WA23 no more events are held than the limit', async () => {
  assert.deepEqual(HELD_MAX, { events: 10_000, bytes: 8 * 1024 * 1024 });
  const stop = new AbortController();
  let got = 0;
  const outflow = new Outflow(async () => {
    got++;
  }, stop.signal);
  const taken = Array.from({ length: HELD_MAX.events + 2 }, (_, seq) => outflow.take({ seq }));
  assert.deepEqual([taken.lastIndexOf(true), taken.indexOf(false)], [HELD_MAX.events, HELD_MAX.events + 1]);
  await outflow.drained();
  assert.equal(got, HELD_MAX.events + 1);
});

test('WA23 no more is held than the limit, except one event that is bigger than that', async () => {
  const got: unknown[] = [];
  const stop = new AbortController();
  let ready = (): void => {};
  const waiting = new Promise<void>((resolve) => {
    ready = resolve;
  });
  const outflow = new Outflow(({ seq }: WatchedEvent) => {
    got.push(seq);
    return got.length === 1 ? waiting : undefined;
  }, stop.signal);
  assert.ok(outflow.take({ seq: 1 }));
  const huge = 'ä'.repeat(HELD_MAX.bytes);
  assert.ok(outflow.take({ seq: 2, huge }));
  assert.equal(outflow.take({ seq: 3 }), false);
  ready();
  await outflow.drained();
  assert.deepEqual(got, [1, 2]);
  assert.ok(outflow.take({ seq: 3 }));
  assert.deepEqual(got, [1, 2, 3]);
});

test('WA23 after the stop nothing more is handed on, and nobody waits for the reader', async () => {
  const got: unknown[] = [];
  const stop = new AbortController();
  let ready = (): void => {};
  const outflow = new Outflow(({ seq }: WatchedEvent) => {
    got.push(seq);
    return new Promise<void>((resolve) => {
      ready = resolve;
    });
  }, stop.signal);
  outflow.take({ seq: 1 });
  outflow.take({ seq: 2 });
  const drained = outflow.drained();
  stop.abort();
  await drained;
  ready();
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(got, [1]);
});
