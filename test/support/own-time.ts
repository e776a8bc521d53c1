/** Time that passes only where a test says so, whatever else the machine does meanwhile. */
import type { TestContext } from 'node:test';

/** Never set back: what one test left behind may still end in the next one. */
let nowMs = 0;

/** Until the end of the test, `performance.now` stands still but for the milliseconds that the returned function adds. */
export function ownTime(t: TestContext): (ms: number) => void {
  nowMs = Math.max(nowMs, performance.now());
  t.mock.method(performance, 'now', () => nowMs);
  return (ms) => {
    nowMs += ms;
  };
}
