/** CO45: the call and the commands for a token, and the code that uses it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connectSnippet, LIFETIMES, tokenCall, tokenCommand } from '../../../daemon/console/tokens/snippet.ts';
import { decodeUserToken } from '../../../protocol/access/user-tokens.ts';

test('CO45 every choice is one that the daemon takes', () => {
  for (const [value] of LIFETIMES) {
    const { lifetimeS } = decodeUserToken(tokenCall(' ann ', value).body);
    assert.equal(lifetimeS, value === 'never' ? undefined : Number(value));
  }
  assert.deepEqual(tokenCall('ann', '900').body, { user_id: 'ann', lifetime_s: 900 });
  assert.deepEqual(
    [tokenCommand('ann', '900'), tokenCommand('ann', 'never')],
    [...['npx rosterd token ann --exp 900s', 'npx rosterd token ann --exp never']],
  );
});

test('CO45 what is in the code is text, whatever it holds', () => {
  const code = connectSnippet('https://x.example', 'k"ey', 'a"); evil("', 't.o.k');
  assert.match(code, /apiKey: "k\\"ey"/);
  assert.match(code, /connectUser\(\{ id: "a\\"\); evil\(\\"" \}, "t\.o\.k"\)/);
});
