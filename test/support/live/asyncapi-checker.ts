/** Holds frames against the description of the live protocol. */
import assert from 'node:assert/strict';
import { Compile, type Validator } from 'typebox/compile';
import { describeLive, messageName } from '../../../daemon/edge/describe/asyncapi.ts';
import { isObject } from '../../../protocol/base/json.ts';
import type { Frame } from './received.ts';

// biome-ignore lint/suspicious/noExplicitAny: a document of every shape; asserting on a wrong one fails the test all the same
export const documentOf = (): any => JSON.parse(JSON.stringify(describeLive()));

export function follow(document: unknown, ref: string): unknown {
  let at = document;
  for (const part of ref.slice(2).split('/')) at = isObject(at) && Object.hasOwn(at, part) ? at[part] : undefined;
  return at;
}

/** References to schemas replaced by what they stand for, and every object closed that does not say what else it may hold. */
export function closed(document: unknown, schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map((item) => closed(document, item));
  if (!isObject(schema)) return schema;
  if (typeof schema.$ref === 'string') return closed(document, follow(document, schema.$ref));
  const inner = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, closed(document, value)]));
  return inner.type === 'object' && inner.properties !== undefined && inner.additionalProperties === undefined
    ? { ...inner, additionalProperties: false }
    : inner;
}

/** Holds frames against the document, and remembers which messages came. */
export class Checker {
  readonly seen = new Set<string>();
  readonly #document = documentOf();
  readonly #checks = new Map<string, Validator>();

  check(name: string, frame: unknown): void {
    const message = this.#document.components.messages[name];
    assert.ok(message !== undefined, `there is no message ${name} in the document: ${JSON.stringify(frame)}`);
    const check = this.#checks.get(name) ?? Compile({ ...Object(closed(this.#document, message.payload)) });
    this.#checks.set(name, check);
    this.seen.add(name);
    if (check.Check(frame)) return;
    const problems = check
      .Errors(frame)
      .map(({ instancePath, message: text, params }) => `${instancePath} ${text} ${JSON.stringify(params)}`);
    assert.fail(`${name} is not as described:\n  ${problems.join('\n  ')}\n${JSON.stringify(frame)}`);
  }

  answer(op: string, frame: Frame): void {
    this.check(frame.error === undefined ? messageName.answer(op) : messageName.refused, frame);
  }

  /** Events say what they are; what has no type is an answer. */
  event(frame: Frame): void {
    this.check(messageName.event(frame.type), frame);
  }
}
