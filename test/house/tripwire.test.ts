/**
 * HS5: the shape of what crosses a wire or lies on a disk is pinned. A change to a schema changes its hash; whoever makes
 * it raises the version, adds a line to the history here, and says in CHANGELOG.md what older data or clients meet.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { CLIENT_FRAMES, LIVE_SUBPROTOCOL } from '../../protocol/live/client-frames.ts';
import { ENTRY_VERSION, EntryDraft } from '../../protocol/log/entry.ts';

const DISK: readonly { readonly version: number; readonly hash: string; readonly what: string }[] = [
  { version: 1, hash: 'add3b1ffc13ddc57', what: 'first format' },
  {
    version: 2,
    hash: '7c0e8ac0f804d0a7',
    what: 'documents in place of tasks; bans, mutes, blocks, flags and devices; custom events; more settings. Data of version 1 is refused',
  },
  {
    version: 3,
    hash: '8ff5e0d005be1c27',
    what: 'where a change came from and which fields it touched; webhook positions; receipts of idempotent requests; events about documents. Data of version 2 is refused',
  },
  {
    version: 3,
    hash: 'b00fff81dbf50f36',
    what: 'marks of users that a sync took out, returns in receipts; older data reads as before, and an older daemon passes over the marks',
  },
  {
    version: 3,
    hash: '38c6add7b26c4bfe',
    what: 'receipts name the client whose request it was; older data reads as before, and an older daemon passes over the name',
  },
  {
    version: 3,
    hash: 'c3e909393d235163',
    what: 'custom permissions among the settings; which activities a follow shows; older data reads as before, and an older daemon passes over both, but counts follows that have ended',
  },
  {
    version: 3,
    hash: 'ec0307d5e7e02bb7',
    what: 'leases of jobs, which only nodes that share a log write; older data reads as before, and no older daemon shares a log',
  },
  {
    version: 3,
    hash: '6940fbb035d04eb7',
    what: 'the session that holds a durable consumer, which only nodes that share a log write; older data reads as before, and an older daemon passes over it',
  },
  {
    version: 3,
    hash: '550fcb188d066543',
    what: 'sign-ins to the console; older data reads as before. A daemon from before does not read a log in which somebody signed in: none was released',
  },
  {
    version: 3,
    hash: '62b7f883205e5e84',
    what: 'sync plans, and changes that come from one; older data reads as before. A daemon from before does not read a log in which a plan was proposed: none was released',
  },
];

const WIRE: readonly { readonly version: string; readonly hash: string; readonly what: string }[] = [
  { version: 'roster.v1', hash: '0c5a836a817b6d86', what: 'first protocol' },
  { version: 'roster.v1', hash: '2e588e779f49686b', what: 'durable, conflate in connect; ack; nothing breaks for older clients' },
  {
    version: 'roster.v1',
    hash: '3b956c3cac496dc4',
    what: 'connect without a key or a token is refused as such (codes 2 and 5), or is anonymous; nothing breaks for older clients',
  },
];

function hashOf(schema: object): string {
  return createHash('sha256').update(JSON.stringify(schema)).digest('hex').slice(0, 16);
}

test('HS5 the durable format is the one its version names', () => {
  const last = DISK.at(-1);
  assert.equal(ENTRY_VERSION, last?.version);
  assert.equal(
    hashOf(EntryDraft),
    last?.hash,
    'the entry schema changed: add a line to DISK, and raise ENTRY_VERSION unless older data and older daemons still work',
  );
});

test('HS5 the frames of the live protocol are those its name stands for', () => {
  const last = WIRE.at(-1);
  assert.equal(LIVE_SUBPROTOCOL, last?.version);
  assert.equal(hashOf(CLIENT_FRAMES), last?.hash, 'a client frame changed: add a line to WIRE, and a new name if old clients break');
});
