/**
 * What holds for every command, whatever it does: the benches of the core check it after each one, so that a test of a single rule
 * need not.
 */
import assert from 'node:assert/strict';
import { Compile } from 'typebox/compile';
import { decide } from '../../daemon/core/decide.ts';
import type { Directory } from '../../daemon/core/directory/directory.ts';
import type { Draft } from '../../daemon/core/directory/draft.ts';
import { isTombstone } from '../../daemon/core/directory/record.ts';
import type { Policy } from '../../daemon/core/policy.ts';
import { ERRORS, RosterError } from '../../protocol/base/errors.ts';
import type { Micros } from '../../protocol/base/time.ts';
import type { Change, Command, Outcome } from '../../protocol/log/command.ts';
import { Fact } from '../../protocol/log/entry.ts';

const CHANGES: readonly Change[] = ['created', 'updated', 'reactivated', 'restored', 'unchanged'];
const factCheck = Compile(Fact);

/** Like `decide`, and checks what it stages, or that a refusal stages nothing. */
export function decided(draft: Draft, command: Command, now: Micros, policy: Policy): Outcome {
  const before = draft.nextSeq;
  let outcome: Outcome;
  try {
    outcome = decide(draft, command, now, policy);
  } catch (error) {
    checkRefusal(error);
    assert.deepEqual([draft.nextSeq, draft.facts], [before, []], 'a refusal leaves nothing');
    throw error;
  }
  checkFacts(draft.facts);
  return outcome;
}

/** What is stored is of the form on disk, and the same after it was written and read. */
function checkFacts(facts: readonly Fact[]): void {
  for (const fact of facts) {
    assert.ok(factCheck.Check(fact), `not a fact: ${JSON.stringify(fact)}`);
    assert.ok(isWhole(fact), `undefined in ${JSON.stringify(fact)}`);
  }
}

/** Whether no value in it is undefined, which would be gone after a restart. */
function isWhole(value: unknown): boolean {
  return value !== undefined && (typeof value !== 'object' || value === null || Object.values(value).every(isWhole));
}

/** An answer shows users and documents as they are once `facts` are applied, says what happened to them, and at which position. */
export function checkOutcome({ kind }: Command, outcome: Outcome, facts: readonly Fact[], directory: Directory): void {
  const { users, docs, warnings, seq, isReplay } = outcome;
  assert.ok(Array.isArray(warnings));
  if (isReplay === true) return;
  assert.ok(seq <= directory.seq && seq >= directory.seq - facts.length, `answered at ${seq} of ${directory.seq}`);
  const told = new Set(facts.flatMap((fact) => (fact.t === 'user' || fact.t === 'deleted' ? [fact.user.id] : [])));
  const answered = new Set(users.map(({ user }) => user.id));
  // Behind it are only the receipt of the request, and users that lose a device to the one of the answer, who does not hear of them.
  for (const fact of facts.slice(facts.length - (directory.seq - seq))) {
    const isOther = kind === 'device-add' && fact.t === 'user' && fact.event === 'silent' && !answered.has(fact.user.id);
    assert.ok(
      isOther || (kind === 'once' && fact.t === 'doc' && fact.kind === 'receipt'),
      `answered at ${seq}, before ${JSON.stringify(fact)}`,
    );
  }
  for (const { user, change } of users) {
    assert.ok(CHANGES.includes(change), `not a change: ${change}`);
    const record = directory.record(user.id);
    assert.ok(record !== undefined, `${user.id} is not there`);
    if (!isTombstone(record)) assert.deepEqual(record, users.findLast((one) => one.user.id === user.id)?.user);
    if (change !== 'unchanged') assert.ok(told.has(user.id), `nothing was stored of ${user.id}`);
  }
  for (const fact of facts) {
    if (fact.t === 'deleted' || (fact.t === 'user' && fact.event !== 'silent'))
      assert.ok(answered.has(fact.user.id), `${fact.user.id} is missing`);
    if (fact.t === 'doc' && docs !== undefined && fact.kind !== 'receipt')
      assert.ok(docs.some((doc) => doc.kind === fact.kind && doc.id === fact.id));
  }
  // Documents without rules are answered as they were sent.
  if (kind !== 'docs') for (const { kind: shelf, id, doc } of docs ?? []) assert.deepEqual(directory.docs.get(shelf, id) ?? null, doc);
}

/** A refusal is of the closed list and says why; each field that it names has a path and a reason. */
function checkRefusal(error: unknown): void {
  if (!(error instanceof RosterError)) return;
  assert.ok(Object.hasOwn(ERRORS, error.kind), `not a kind: ${error.kind}`);
  for (const text of [error.message, ...error.fields.map(({ message }) => message)]) assert.match(text, /^(?!.*undefined).+/s);
  for (const { path } of error.fields) assert.match(path, /^[a-z]/i);
}
