/** AA1 and AA3: the description of the live protocol is whole, and finds what is not as described. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { messageName } from '../../../daemon/edge/describe/asyncapi.ts';
import { isObject } from '../../../protocol/base/json.ts';
import { CLIENT_FRAMES } from '../../../protocol/live/client-frames.ts';
import { ANSWERS, SERVER_EVENTS } from '../../../protocol/live/server-frames.ts';
import { Checker, documentOf, follow } from '../../support/live/asyncapi-checker.ts';
import type { Frame } from '../../support/live/received.ts';

/** Every reference anywhere in the document. */
function* refsIn(value: unknown): Iterable<string> {
  if (Array.isArray(value)) for (const item of value) yield* refsIn(item);
  else if (isObject(value)) {
    for (const [key, inner] of Object.entries(value)) {
      if (key === '$ref' && typeof inner === 'string') yield inner;
      else yield* refsIn(inner);
    }
  }
}

test('AA1 every reference leads somewhere, every message is in a channel and every operation in its own', () => {
  const document = documentOf();
  assert.equal(document.asyncapi, '3.0.0');
  const refs = [...refsIn(document)];
  assert.ok(refs.length > 100);
  for (const ref of refs) assert.ok(ref.startsWith('#/') && follow(document, ref) !== undefined, `${ref} leads nowhere`);
  const named = new Set(Object.keys(document.components.messages));
  for (const op of Object.keys(CLIENT_FRAMES)) assert.ok(named.delete(messageName.request(op)), op);
  for (const op of Object.keys(ANSWERS)) assert.ok(named.delete(messageName.answer(op)), op);
  for (const type of Object.keys(SERVER_EVENTS)) assert.ok(named.delete(messageName.event(type)), type);
  assert.deepEqual([...named].sort(), ['answer.refused', 'event.custom']);
  for (const operation of Object.values<Frame>(document.operations)) {
    const channel = operation.channel.$ref;
    assert.ok(['receive', 'send'].includes(operation.action));
    const all = [...operation.messages, ...(operation.reply?.messages ?? [])];
    for (const { $ref } of all) assert.ok($ref.startsWith(`${channel}/messages/`), `${$ref} is not of ${channel}`);
  }
  const used = new Set([...refsIn(document.operations)].map((ref) => ref.split('/').at(-1)));
  for (const name of Object.keys(document.components.messages)) assert.ok(used.has(name), `no operation has ${name}`);
});

test('AA3 a frame that is not as described is found', () => {
  const checker = new Checker();
  checker.event({ type: 'sub.reset', sub: 'all' });
  for (const frame of [{ type: 'sub.reset' }, { type: 'sub.reset', sub: 'all', more: 1 }, { type: 'sub.reset', sub: 7 }]) {
    assert.throws(() => checker.event(frame), assert.AssertionError);
  }
  assert.throws(() => checker.answer('nonsense', {}), /no message/);
});
