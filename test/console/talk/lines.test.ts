/** CO13: the commands beside an action. A shell runs them, so nothing in a user may end a word. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { compareLine, curlLine, rosterdLine } from '../../../daemon/console/talk/lines.ts';

const ADDRESS = 'https://example.com/roster';
const NASTY = `it's $(touch x) \`id\` "quoted" \\ !! ; & | \n newline <b>`;

/** The words that a shell makes of a line. */
function wordsOf(line: string): string[] {
  const show = `show() { for word in "$@"; do printf '%s\\0' "$word"; done; }; curl() { show "$@"; }; npx() { show "$@"; };`;
  return execFileSync('sh', ['-c', `${show} ROSTERD_TOKEN=token; ${line}`], { encoding: 'utf8' })
    .split('\0')
    .slice(0, -1);
}

test('CO13 the commands send exactly the request of the action, whatever is in it, and hold no token', () => {
  const body = { users: [{ id: 'ann', set: { name: NASTY } }], if_rev: { ann: 7 } };
  const call = { method: 'PATCH', path: '/api/v2/users?dry_run=true', body } as const;
  const line = curlLine(ADDRESS, 'key', call);
  assert.ok(line.includes('$ROSTERD_TOKEN'));
  const words = wordsOf(line);
  assert.deepEqual(words.slice(0, 3), ['-X', 'PATCH', `${ADDRESS}/api/v2/users?dry_run=true&api_key=key`]);
  assert.ok(words.includes('Authorization: token'));
  assert.deepEqual(JSON.parse(words.at(-1) ?? ''), body);
  const call2 = wordsOf(rosterdLine(ADDRESS, call));
  assert.deepEqual(call2.slice(0, 4), ['rosterd', 'call', 'PATCH', '/api/v2/users?dry_run=true']);
  assert.deepEqual(JSON.parse(call2[4] ?? ''), body);
  assert.deepEqual(call2.slice(5), ['--url', ADDRESS]);
  assert.deepEqual(wordsOf(rosterdLine(ADDRESS, { method: 'POST', path: '/api/v2/users/ann/deactivate' })).slice(2, 4), [
    'POST',
    '/api/v2/users/ann/deactivate',
  ]);
});

test('CO53 the commands hold the revision that a change requires', () => {
  const call = { method: 'PATCH', path: '/api/v2/app', body: { name: 'X' }, ifMatch: '"12"' } as const;
  assert.ok(wordsOf(curlLine(ADDRESS, 'key', call)).includes('If-Match: "12"'));
  assert.deepEqual(wordsOf(rosterdLine(ADDRESS, call)).slice(5, 7), ['--if-match', '"12"']);
});

test('CO54 the command that compares names the position and the team, whatever is in them', () => {
  assert.deepEqual(wordsOf(compareLine(ADDRESS, { position: '', team: '' })), ['rosterd', 'compare', 'copy.ndjson', '--url', ADDRESS]);
  assert.deepEqual(wordsOf(compareLine(ADDRESS, { position: 'e:7', team: NASTY })).slice(3, 7), ['--position', 'e:7', '--team', NASTY]);
});
