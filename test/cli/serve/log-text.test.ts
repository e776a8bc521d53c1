/** LO4: log lines for people. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import { logText } from '../../../daemon/cli/serve/log-text.ts';

const TIME = 1_796_130_992_456;

/** The text of one line as pino writes it. */
function written(log: (logger: ReturnType<typeof pino>) => void): string {
  let text = '';
  const write = (line: string): void => {
    text += logText(line);
  };
  log(pino({ level: 'debug', timestamp: () => `,"time":${TIME}` }, { write }));
  return text;
}

test('LO4 a line has the time, the level, the message and the fields, and nothing that is the same on every line', () => {
  const text = written((logger) => logger.info({ type: 'snapshot saved', seq: 12, file: '/data/x', list: [1, 'b c'] }, 'snapshot saved'));
  assert.equal(text, '2026-12-01 13:16:32.456  INFO   snapshot saved  seq=12  file=/data/x  list=[1,"b c"]\n');
  assert.match(
    written((logger) => logger.warn({}, 'w')),
    / {2}WARN {3}w\n$/,
  );
  assert.match(
    written((logger) => logger.debug({ a: 'b c' }, 'd')),
    / {2}DEBUG {2}d {2}a="b c"\n$/,
  );
});

test('LO4 an error follows with its stack, indented, however it was made', () => {
  const lines = written((logger) => logger.error({ err: new Error('no disk'), id: 7 }, 'failed')).split('\n');
  assert.match(lines[0] ?? '', /ERROR {2}failed {2}id=7$/);
  assert.equal(lines[1], '    Error: no disk');
  assert.match(lines[2] ?? '', /^ {4}at /);
  assert.equal(lines.at(-1), '');
  assert.equal(logText(`{"level":50,"time":${TIME},"err":{"type":"Odd","message":"m"},"msg":"x"}\n`).split('\n')[1], '    Odd: m');
});

test('LO4 nothing in a value begins a line, moves a cursor or reorders the line', () => {
  const evil = 'a\n2026-12-01 ERROR forged\u001b[2J\u0085\u2028\u202e\u007f';
  const text = written((logger) => logger.error({ [evil]: evil, err: new Error(evil) }, evil));
  assert.doesNotMatch(text.replaceAll('\n', ''), /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
  const lines = text.trimEnd().split('\n');
  assert.match(lines[0] ?? '', /^2026-12-01 13:16:32\.456 {2}ERROR {2}a\\u000a2026-12-01 ERROR forged\\u001b\[2J/);
  for (const line of lines.slice(1)) assert.match(line, /^ {4}/, 'whatever an error says is indented');
});

test('LO4 a line that is no JSON stays readable, and a long value is cut', () => {
  assert.equal(logText('not \u001b json\n'), 'not \\u001b json\n');
  assert.ok(written((logger) => logger.info({ long: 'x'.repeat(100_000) }, 'm')).length < 2_200);
});
