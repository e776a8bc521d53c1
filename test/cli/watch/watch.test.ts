/** WA: `rosterd watch` stays connected over Socket.IO, resumes, and prints what comes. How it ends: ending.test.ts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runCli } from '../../../daemon/cli/commands.ts';
import { formatEvent, formatPresenceState } from '../../../daemon/cli/watch/format.ts';
import { eventually } from '../../support/eventually.ts';
import { fakeLive, frozenLink } from '../../support/live/fake-live.ts';
import { event, ok, watchUntil } from '../../support/live/fake-watcher.ts';
import { fakeIo } from '../../support/sync/fake-server.ts';

const presence = (online: boolean, seq = 10) => ({
  type: 'user.presence.changed',
  seq,
  created_at: '2026-05-17T14:35:23.313097Z',
  user: { id: 'ann', online },
});

test('WA1 connects with key, token and subscription in one go, and hands on events', async (t) => {
  const daemon = await fakeLive(t, [
    (peer) => peer.send(ok, { sub: 'watch', seq: 10 }, event(11), { type: 'health.check', seq: 11 }, event(12)),
  ]);
  const { end, seqs, talk } = await watchUntil(daemon.url, 2);
  assert.deepEqual(end, { kind: 'stopped' });
  assert.deepEqual(seqs, [11, 12]);
  assert.deepEqual(talk, ['connected; events after #10 follow']);
  assert.deepEqual(daemon.transports, ['websocket']);
  assert.deepEqual(daemon.connects, [{ api_key: 'key', token: 'a.b.c', subs: [{ sub: 'watch', all: true, snapshot: false }] }]);
});

test('WA2 after a cut it resumes exactly behind the last event or heartbeat', async (t) => {
  const daemon = await fakeLive(t, [
    (peer) => {
      peer.send(ok, event(11), event(12));
      peer.close(4013, 'too slow');
    },
    (peer) => {
      peer.send({ ...ok, resumed: true, seq: 12 }, { type: 'health.check', seq: 15 });
      setTimeout(() => peer.cut(), 20);
    },
    (peer) => peer.send({ ...ok, resumed: true, seq: 15 }, event(16)),
  ]);
  const { seqs, talk, pauses } = await watchUntil(daemon.url, 3);
  assert.deepEqual(seqs, [11, 12, 16]);
  assert.deepEqual(
    daemon.connects.map(({ resume }) => resume),
    [undefined, { epoch: 'e1', seq: 12 }, { epoch: 'e1', seq: 15 }],
  );
  assert.deepEqual(pauses, [250, 250]);
  assert.match(talk[1] ?? '', /^not connected \(too slow\); trying again in 0\.3 s$/);
  assert.equal(talk[2], 'connected again; resumed after #12');
  assert.match(talk[3] ?? '', /^not connected \(the connection broke\)/);
});

test('WA3 says so when it could not resume, and goes on in the new epoch', async (t) => {
  const daemon = await fakeLive(t, [
    (peer) => {
      peer.send(ok, event(11));
      peer.close(1012);
    },
    (peer) => {
      peer.send({ ...ok, epoch: 'e2', seq: 3 }, event(4));
      peer.close(1012);
    },
    (peer) => peer.send({ ...ok, epoch: 'e2', seq: 4, resumed: true }, event(5)),
  ]);
  const { seqs, talk } = await watchUntil(daemon.url, 3);
  assert.deepEqual(seqs, [11, 4, 5]);
  assert.match(talk.join('\n'), /resync: the daemon no longer has what follows #11; changes up to #3 may be missing/);
  assert.deepEqual(daemon.connects[2]?.resume, { epoch: 'e2', seq: 4 });
});

test('WA4 an announced restart is waited for as long as it asks', async (t) => {
  const daemon = await fakeLive(t, [
    (peer) => {
      peer.send(ok, { type: 'server.drain', retry_ms: 5_000 });
      peer.close(1012);
    },
    (peer) => peer.send({ ...ok, resumed: true }, event(11)),
  ]);
  assert.deepEqual((await watchUntil(daemon.url, 1)).pauses, [5_250]);
});

test('WA36 a subscription that the daemon ends is begun anew behind the last event', async (t) => {
  const daemon = await fakeLive(t, [
    (peer) => peer.send(ok, event(11), { type: 'sub.reset', sub: 'watch' }, event(99)),
    (peer) => peer.send({ ...ok, seq: 11, resumed: true }, event(12)),
  ]);
  const { seqs, talk, end } = await watchUntil(daemon.url, 2);
  assert.deepEqual([seqs, end], [[11, 12], { kind: 'stopped' }]);
  assert.equal(talk[1], 'the daemon ended the subscription; subscribing anew');
  const [, again] = daemon.connects;
  assert.deepEqual([again?.resume, again?.subs], [{ epoch: 'e1', seq: 11 }, [{ sub: 'watch', all: true, snapshot: false }]]);
});

test('WA36 a daemon that only ends subscriptions ends the watch', async (t) => {
  const daemon = await fakeLive(t, [(peer) => peer.send(ok, { type: 'sub.reset', sub: 'watch' })]);
  const { end } = await watchUntil(daemon.url, 1);
  assert.deepEqual(end, { kind: 'refused', reason: 'the daemon ends the subscription again and again' });
  assert.equal(daemon.connects.length, 4);
});

test('WA8 a connection without any sign of life is given up', async (t) => {
  const daemon = await fakeLive(t, [(peer) => peer.send(ok), (peer) => peer.send({ ...ok, resumed: true }, event(11))]);
  const { seqs, talk } = await watchUntil(daemon.url, 1, { silence: true });
  assert.deepEqual(seqs, [11]);
  assert.match(talk.join('\n'), /no sign of life/);
});

test('WA11 the command prints one line per event, as text or JSON, and ends with 130', async (t) => {
  const env = { ROSTERD_API_KEY: 'key', ROSTERD_API_SECRET: 'hush' };
  for (const json of [false, true]) {
    const io = fakeIo({ cwd: '/', env });
    const daemon = await fakeLive(t, [
      (peer) => {
        peer.send(ok, event(11), { type: 'health.check', seq: 11 }, { type: 'presence.state', reset: true, online: ['ann'] });
        // Nothing more is to come, and it would have come by then.
        void eventually(() => io.stdout.text !== '').then(() => setTimeout(() => io.interrupt(), 30));
      },
    ]);
    const args = ['watch', '--url', daemon.url, '--ids', 'ann,bob', ...(json ? ['--json'] : [])];
    assert.equal(await runCli(args, io, { serve: () => assert.fail('serve was called') }), 130);
    assert.deepEqual(daemon.connects[0]?.subs, [{ sub: 'watch', ids: ['ann', 'bob'], snapshot: false }]);
    if (json) assert.deepEqual(JSON.parse(io.stdout.text), event(11));
    else assert.equal(io.stdout.text, '2026-05-17 14:35:23.313  #11  user.updated      ann\n');
    assert.equal(io.stderr.text, 'rosterd: connected; events after #10 follow\n');
  }
});

test('WA13 a line says what matters', () => {
  const user = { id: 'ann', name: 'Ann', role: 'admin', teams: ['red', 'blue'], custom: { plan: 'pro' } };
  const base = { seq: 7, created_at: '2026-05-17T14:35:23.313097Z' };
  assert.equal(
    formatEvent({ ...base, type: 'user.updated', created: true, user }),
    '2026-05-17 14:35:23.313  #7  user.updated      ann  created  "Ann"  role=admin  teams=red,blue  custom={"plan":"pro"}',
  );
  assert.equal(
    formatEvent({ ...base, type: 'user.deleted', delete_user: 'hard', user: { id: 'bob' } }),
    '2026-05-17 14:35:23.313  #7  user.deleted      bob  hard',
  );
  assert.equal(formatEvent(presence(true)), '2026-05-17 14:35:23.313  online   ann');
  assert.equal(formatEvent(presence(false)), '2026-05-17 14:35:23.313  offline  ann');
  assert.equal(formatPresenceState({ reset: true, online: ['ann', 'bob'] }), 'online now: ann, bob');
  assert.equal(formatPresenceState({ reset: true, online: [] }), 'online now: nobody');
  assert.equal(formatPresenceState({ online: ['zoe'] }), 'online, too: zoe');
});

test('WA14 what users wrote cannot steer the terminal', () => {
  const name = 'a\u001b[2J\u009b1m\u202edcba\r\n';
  const user = { id: 'ann', name, custom: { '\u0007': '\u2028' } };
  const lines = [
    formatEvent({ type: 'user.updated', seq: 1, created_at: 'x\u001b', user }),
    formatEvent({ type: 'user.presence.changed', user: { id: name } }),
    formatPresenceState({ online: [name] }),
  ];
  for (const line of lines) assert.ok(!/[\p{Cc}\p{Cf}\p{Zl}]/u.test(line), JSON.stringify(line));
});

test('WA17 a daemon behind a path is reached there, by either transport', async (t) => {
  const daemon = await fakeLive(t, [(peer) => peer.send(ok, event(11))], { base: '/some/roster' });
  for (const transport of ['websocket', 'polling'] as const) {
    for (const slash of ['', '/']) {
      const { seqs } = await watchUntil(`${daemon.url}/some/roster${slash}`, 1, { transports: [transport] });
      assert.deepEqual(seqs, [11]);
      assert.equal(daemon.transports.at(-1), transport);
    }
  }
});

test('WA19 with presence it asks for comings and goings, which have no position of their own', async (t) => {
  const state = { type: 'presence.state', sub: ['watch'], reset: true, online: ['ann'] };
  const daemon = await fakeLive(t, [
    (peer) => {
      peer.send(ok, event(11), presence(true, 12));
      peer.close(1012);
    },
    (peer) => peer.send({ ...ok, resumed: true, seq: 11 }, event(12), state, presence(false, 12)),
  ]);
  const { events } = await watchUntil(daemon.url, 5, { presence: true });
  assert.deepEqual(events, [event(11), presence(true, 12), event(12), state, presence(false, 12)]);
  assert.deepEqual(daemon.connects[1], {
    api_key: 'key',
    token: 'a.b.c',
    resume: { epoch: 'e1', seq: 11 },
    subs: [{ sub: 'watch', all: true, presence: true, snapshot: false }],
  });
});

test('WA20 --presence prints a line for each coming and going, and --json the frames', async (t) => {
  const env = { ROSTERD_API_KEY: 'key', ROSTERD_API_SECRET: 'hush' };
  const state = { type: 'presence.state', sub: ['watch'], reset: true, online: ['ann', 'bob'] };
  for (const json of [false, true]) {
    const io = fakeIo({ cwd: '/', env });
    const daemon = await fakeLive(t, [
      (peer) => {
        peer.send(ok, presence(true), state, presence(false));
        const count = json ? 3 : 2;
        void eventually(() => io.stdout.text.split('\n').length > count).then(() => setTimeout(() => io.interrupt(), 30));
      },
    ]);
    const args = ['watch', '--url', daemon.url, '--presence', ...(json ? ['--json'] : [])];
    assert.equal(await runCli(args, io, { serve: () => assert.fail('serve was called') }), 130);
    const lines = io.stdout.text.trimEnd().split('\n');
    if (json)
      assert.deepEqual(
        lines.map((line) => JSON.parse(line)),
        [presence(true), state, presence(false)],
      );
    else assert.deepEqual(lines, ['2026-05-17 14:35:23.313  online   ann', '2026-05-17 14:35:23.313  offline  ann']);
    assert.equal(io.stderr.text, `rosterd: connected; events after #10 follow\n${json ? '' : 'rosterd: online now: ann, bob\n'}`);
  }
});

for (const transport of ['websocket', 'polling'] as const) {
  test(`WA21 a network that dies without a sign is noticed, and the dead connection is cut (${transport})`, async (t) => {
    const daemon = await fakeLive(t, [(peer) => peer.send(ok), (peer) => peer.send({ ...ok, resumed: true }, event(11))]);
    const link = await frozenLink(t, daemon.url);
    const { seqs, talk } = await watchUntil(link.url, 1, {
      transports: [transport],
      silence: true,
      onConnected: () => link.freeze(),
    });
    assert.deepEqual(seqs, [11]);
    assert.match(talk[1] ?? '', /no sign of life/);
    await eventually(() => link.open === 0, 'something is left open');
  });
}

test('WA22 Ctrl-C does not wait long for a daemon that answers nothing', async (t) => {
  const daemon = await fakeLive(t, [(peer) => peer.send(ok)]);
  const link = await frozenLink(t, daemon.url);
  const io = fakeIo({ cwd: '/', env: { ROSTERD_API_KEY: 'key', ROSTERD_API_SECRET: 'hush' } });
  const ended = runCli(['watch', '--url', link.url], io, { serve: () => assert.fail() });
  await eventually(() => io.stderr.text !== '');
  link.freeze();
  const startedMs = performance.now();
  io.interrupt();
  assert.equal(await ended, 130);
  // What is still open keeps the process alive.
  while (link.open > 0) {
    assert.ok(performance.now() - startedMs < 15_000, `${link.open} connections are left open`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.equal(io.stderr.text, 'rosterd: connected; events after #10 follow\n');
});
