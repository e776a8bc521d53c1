/** FM5: how the demo speaks, and that it does not go on when something is not so. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { DemoFailed, Story } from '../../../daemon/cli/demo/story.ts';
import type { CommandIo } from '../../../daemon/cli/io.ts';

function begin(options: { isTTY?: boolean; env?: CommandIo['env'] } = {}) {
  const stop = new AbortController();
  const state = { text: '', nowMs: 5_000 };
  const stdout = {
    isTTY: options.isTTY ?? false,
    write: (text: string) => {
      state.text += text;
      return true;
    },
    drained: () => Promise.resolve(),
  };
  const story = new Story({ stdout, env: options.env ?? {}, now: () => state.nowMs }, stop.signal);
  return { story, state, stop };
}

test('FM5 each sentence has its time, and no colour where nobody sees it', () => {
  const { story, state } = begin();
  story.title('a title');
  state.nowMs += 1_240;
  story.tell('first', 'second');
  assert.equal(state.text, 'a title\n 1.2 s  first\n        second\n');
  const NO_COLOR = begin({ isTTY: true, env: { NO_COLOR: '1' } });
  NO_COLOR.story.title('a title');
  assert.equal(NO_COLOR.state.text, 'a title\n');
  const terminal = begin({ isTTY: true });
  terminal.story.title('a title');
  assert.notEqual(terminal.state.text, 'a title\n');
});

test('FM5 what is not so ends the story with what was found', () => {
  const { story } = begin();
  story.check(true, 'never seen');
  assert.throws(() => story.check(false, 'there are 3 users'), { name: 'DemoFailed', message: 'there are 3 users' });
});

test('FM5 a wait ends with what it waits for, in vain, or with the interrupt', async (t: TestContext) => {
  const { story, stop } = begin();
  let looks = 0;
  assert.equal(await story.until('it is there', () => ++looks === 3 && 'there'), 'there');
  const now = performance.now();
  t.mock.method(performance, 'now', () => now + looks++ * 1_000);
  await assert.rejects(
    story.until('the sun is cold', () => false),
    (error) => error instanceof DemoFailed && /in vain until the sun is cold/.test(error.message),
  );
  stop.abort();
  await assert.rejects(
    story.until('anything', () => 'there'),
    { name: 'AbortError' },
  );
});
