/**
 * Bad input for every endpoint, made from the route table: EV1–EV8. The good request of an endpoint is its golden example, and
 * the bad ones are sent in the very state in which the good one then succeeds, so that each is refused for what is wrong with
 * it and for nothing else. A new endpoint is in here as soon as it has a row; without an example it fails EV1.
 */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { describe, it } from 'node:test';
import { plainSchema } from '../../../daemon/edge/describe/schemas.ts';
import type { Endpoint } from '../../../daemon/edge/http/endpoint.ts';
import { ROUTES } from '../../../daemon/edge/routes.ts';
import { encodeToken } from '../../../protocol/base/tokens.ts';
import { isPlanWork } from '../../../protocol/transfer/plans.ts';
import { eventually } from '../../support/eventually.ts';
import { badBodies, badParameters } from '../../support/http/bad-input.ts';
import {
  beginStory,
  filled,
  type GoldenRequest,
  type GoldenStep,
  goldenFiles,
  play,
  type Received,
  rowOf,
  sendGolden,
} from '../../support/http/golden.ts';
import { serverToken, userToken, World } from '../../support/world.ts';

/** Endpoints whose path names something that need not exist, and why. */
const ANY_NAME: Readonly<Record<string, string>> = {
  GetOrCreateChannel: 'a stand-in takes any channel',
  GetOrCreateDistinctChannel: 'a stand-in takes any type of channel',
  DeleteChannel: 'a stand-in takes any channel',
  FeedsAddActivities: 'a feed is there as soon as somebody names it',
  FeedsGetFeed: 'the same',
  FeedsFollow: 'the same',
  FeedsUnfollow: 'what is not followed need not be ended',
  FeedsRemoveActivity: 'what is not there need not be removed',
};

/** Endpoints that answer for users who were deleted, and why. */
const EVEN_DELETED: Readonly<Record<string, string>> = { GetUserHistory: 'what happened to a user includes its end' };

/** The one place in a path that takes every text. */
const ANY_TEXT = ':activity_id';

interface Expected {
  readonly status?: readonly number[];
  readonly code?: readonly number[];
  /** Name that one of the named fields must have as a part. */
  readonly field?: string;
}

/** What the chat dialects and the feeds dialect answer to the same mistake. */
const inDialect = ({ dialect }: Endpoint, chat: readonly [number, number], feeds: readonly [number, number]): Expected => {
  const [status, code] = dialect === 'feeds' ? feeds : chat;
  return { status: [status], code: [code] };
};
const INPUT = { status: [400], code: [4] } as const;

class Trial {
  readonly problems: string[] = [];
  sent = 0;
  readonly #world: World;
  readonly #row: Endpoint;
  readonly #step: GoldenStep;
  readonly #memory: Map<string, string>;

  constructor(world: World, row: Endpoint, step: GoldenStep, memory: Map<string, string>) {
    this.#world = world;
    this.#row = row;
    this.#step = step;
    this.#memory = memory;
  }

  get #as(): string {
    return this.#step.as ?? 'server';
  }

  async run(): Promise<void> {
    const { access } = this.#row;
    // Signing in is a change of its own.
    if (this.#as.startsWith('console ')) await sendGolden(this.#world, { method: 'GET', path: '/sync/position' }, this.#as);
    if (access === 'signed') await this.#signature();
    else if (access !== 'open') await this.#credentials();
    if (this.#row.uploads === undefined && this.#row.downloads === undefined) await this.#bodies();
    await this.#queries();
    await this.#paths();
  }

  /** EV2: a URL speaks for itself, as it was signed and no other way. */
  async #signature(): Promise<void> {
    const url = filled(this.#step.request.path, this.#memory);
    const notAllowed = { status: [403], code: [17] };
    for (const [what, changed] of [
      ['another signature', url.replace(/sig=./, (text) => (text === 'sig=A' ? 'sig=B' : 'sig=A'))],
      ['another time', url.replace(/exp=\d/, (text) => (text === 'exp=9' ? 'exp=8' : 'exp=9'))],
      ['another file', url.replace('?', 'x?')],
      ['no signature', url.split('?')[0] ?? ''],
    ] as const) {
      await this.#refused(`EV2 with ${what}`, { ...this.#step.request, path: changed }, this.#as, notAllowed);
    }
  }

  /** EV2: keys and tokens. EV3: whoever may not call this at all. EV4: users who may not call any more. */
  async #credentials(): Promise<void> {
    const row = this.#row;
    const past = Math.floor(Date.now() / 1000) - 3_600;
    const unknownKey = { status: [401], code: [2] };
    await this.#refused('EV2 without an API key', this.#step.request, 'nobody', unknownKey);
    // A browser that is signed in needs no key.
    const withKey = this.#as.startsWith('console ') ? 'server' : this.#as;
    await this.#refused('EV2 with an unknown API key', this.#with({ query: { api_key: 'other' } }), withKey, unknownKey);
    const foreign = encodeToken({ server: true }, (text) => createHmac('sha256', 'another secret').update(text).digest('base64url'));
    const [signature, expired] = [inDialect(row, [401, 43], [403, 17]), inDialect(row, [401, 40], [403, 17])];
    await this.#refused('EV2 with a token that somebody else signed', this.#step.request, `raw ${foreign}`, signature);
    await this.#refused('EV2 with a token that is none', this.#step.request, 'raw nonsense', signature);
    await this.#refused('EV2 with an expired server token', this.#step.request, `raw ${serverToken({ exp: past })}`, expired);
    await this.#refused('EV2 with an expired user token', this.#step.request, `raw ${userToken('ev-ann', { exp: past })}`, expired);
    if (row.access !== 'guest') await this.#refused('EV2 without a token', this.#step.request, 'key', inDialect(row, [401, 5], [403, 17]));
    const notAllowed = { status: [403], code: [17] };
    if (row.access === 'server') {
      await this.#refused('EV3 with a client token', this.#step.request, 'user ev-ann', notAllowed);
      await this.#refused('EV3 with an anonymous token', this.#step.request, 'anonymous', notAllowed);
      return;
    }
    if (row.access === 'user' && row.method !== 'GET') {
      await this.#refused('EV3 with an anonymous token', this.#step.request, 'anonymous', notAllowed);
    }
    await this.#refused('EV4 as a user that was deleted', this.#step.request, 'user ev-gone', { status: [403, 404], code: [16, 17] });
    await this.#refused('EV4 as a user that was deactivated', this.#step.request, 'user ev-asleep', notAllowed);
  }

  /** EV5: wrong types, missing fields and list sizes at every place of the schema. EV6: what is no JSON, or no object. */
  async #bodies(): Promise<void> {
    const { body: schema, method } = this.#row;
    if (schema === undefined) return;
    assert.notEqual(method, 'GET');
    const { body: example = {}, ...rest } = this.#step.request;
    for (const { why, field, body } of badBodies(plainSchema(schema), example)) {
      await this.#refused(`EV5 ${why}`, { ...rest, body }, this.#as, { ...INPUT, field });
    }
    for (const text of ['nonsense', '{"a":', '"text"', '7', '[1]', '{} {}']) {
      await this.#refused(`EV6 body ${text}`, { ...rest, text }, this.#as, { ...INPUT, field: 'body' });
    }
    const asText = { ...rest, text: JSON.stringify(example), headers: { 'Content-Type': 'text/plain' } };
    await this.#refused('EV6 a content type that is not JSON', asText, this.#as, { ...INPUT, field: 'content-type' });
  }

  /** EV7: parameters of a wrong type. */
  async #queries(): Promise<void> {
    if (this.#row.query === undefined) return;
    for (const { name, field, value } of badParameters(plainSchema(this.#row.query), this.#step.request.query ?? {})) {
      await this.#refused(`EV7 ${name}=${value.slice(0, 200)}`, this.#with({ query: { [name]: value } }), this.#as, { ...INPUT, field });
    }
  }

  /** EV8: paths that name what does not exist, was deleted, or cannot be a name. A deactivated user is refused in due form, or served. */
  async #paths(): Promise<void> {
    const { path, operation, access } = this.#row;
    const parts = path.split('/');
    if (access === 'signed') return;
    for (const [at, part] of parts.entries()) {
      if (!part.startsWith(':')) continue;
      await this.#refused('EV8 a broken escape in the path', this.#at(at, '%zz'), this.#as, INPUT);
      const isUser = /^users?$/.test(parts[at - 1] ?? '');
      if (part !== ANY_TEXT) {
        await this.#refused('EV8 a name that is none', this.#at(at, 'a%20b%2Fc'), this.#as, { status: [400, 404], code: [4, 16] });
      }
      if (Object.hasOwn(ANY_NAME, operation)) continue;
      await this.#refused('EV8 what does not exist', this.#at(at, 'ev-nobody'), this.#as, { status: [404], code: [16] });
      if (!isUser) continue;
      if (!Object.hasOwn(EVEN_DELETED, operation)) {
        await this.#refused('EV8 a user that was deleted', this.#at(at, 'ev-gone'), this.#as, { status: [400, 404], code: [4, 16] });
      }
      const asleep = `ev-asleep-${operation.toLowerCase()}-${this.#row.dialect}`;
      await deactivated(this.#world, asleep);
      const received = await this.#send(this.#at(at, asleep), this.#as);
      if (received.status >= 500) this.#found('EV8 a deactivated user', received, 'is a mistake of ours');
    }
  }

  #with(changes: Partial<GoldenRequest>): GoldenRequest {
    return { ...this.#step.request, ...changes, query: { ...this.#step.request.query, ...changes.query } };
  }

  /** The request with another name in the place of a parameter of the path. */
  #at(place: number, name: string): GoldenRequest {
    const path = this.#step.request.path.replaceAll(/\/+/g, '/').split('/');
    return { ...this.#step.request, path: path.map((part, at) => (at === place ? name : part)).join('/') };
  }

  async #send(request: GoldenRequest, as: string): Promise<Received> {
    this.sent++;
    return await sendGolden(this.#world, request, as, this.#memory);
  }

  /** Sends what must be refused, in due form, naming the field, without any effect. */
  async #refused(what: string, request: GoldenRequest, as: string, { status, code, field }: Expected): Promise<void> {
    let changes = 0;
    const listening = new AbortController();
    // The position of a webhook is written a while after a delivery, whoever asks for something else meanwhile.
    this.#world.daemon.roster.onApplied(({ facts }) => {
      changes += facts.filter((fact) => !(fact.t === 'doc' && fact.kind === 'outbox')).length;
    }, listening.signal);
    const received = await this.#send(request, as);
    listening.abort();
    const body: Readonly<Record<string, unknown>> = Object(received.body);
    const isFeeds = this.#row.dialect === 'feeds';
    if (received.status < 400 || received.status >= 500) return this.#found(what, received, 'was not refused');
    if (changes > 0) this.#found(what, received, 'changed something');
    if (status?.includes(received.status) === false) this.#found(what, received, `must have status ${status.join(' or ')}`);
    if (code?.includes(Number(body.code)) === false) this.#found(what, received, `must have code ${code.join(' or ')}`);
    if ((isFeeds ? body.status_code : body.StatusCode) !== received.status) this.#found(what, received, 'has another status in its body');
    const isBroken = what.includes('broken escape');
    if (!isFeeds && !isBroken && !String(body.message).startsWith(`${this.#row.operation} failed with error: "`)) {
      this.#found(what, received, 'does not name the operation');
    }
    if (!['limit', 'remaining', 'reset'].every((name) => Number(received.headers.get(`x-ratelimit-${name}`) ?? Number.NaN) >= 0)) {
      this.#found(what, received, 'has no rate headers');
    }
    if (field === undefined) return;
    const named = Object.keys(Object(body.exception_fields)).flatMap((path) => path.split(/[.[\]]+/));
    // Long names are cut in errors, as is everything that a caller sends.
    if (!named.some((part) => part === field || (part.endsWith('…') && field.startsWith(part.slice(0, -1))))) {
      this.#found(what, received, `does not name ${field}`);
    }
  }

  #found(what: string, { status, text }: Received, wrong: string): void {
    this.problems.push(`${this.#row.method} ${this.#row.path} · ${what} · ${wrong} · ${status} ${text.slice(0, 300)}`);
  }
}

async function deactivated(world: World, id: string): Promise<void> {
  assert.ok((await world.upsert({ id })).status < 300);
  assert.equal((await world.http('POST', `/users/${id}/deactivate`, {})).status, 200);
}

/** Tasks go on after their request, and what they do is no effect of the next one. */
async function idle({ daemon: { roster } }: World): Promise<void> {
  const { docs } = roster.directory;
  const isBusy = (): boolean =>
    [...docs.all('task')].some(({ status }) => status !== 'completed' && status !== 'failed') ||
    [...docs.all('import')].some(({ state }) => state !== 'completed' && !state.endsWith('failed')) ||
    [...docs.all('plan')].some(isPlanWork);
  await eventually(() => !isBusy(), 'a task does not end');
}

describe('every endpoint', () => {
  const tried = new Set<Endpoint>();
  let sent = 0;

  for (const file of goldenFiles()) {
    it(`EV2–EV8 bad requests around ${file.name}`, async (t) => {
      const world = await World.start(t, { flags: { ...file.flags, 'rate-limits': 'off' } });
      await world.upsert({ id: 'ev-ann' }, { id: 'ev-gone' });
      await deactivated(world, 'ev-asleep');
      assert.equal((await world.http('DELETE', '/users/ev-gone')).status, 200);
      const memory = await beginStory(world, file);
      const problems: string[] = [];
      for (const step of file.steps) {
        const row = rowOf(step, memory);
        const isGood = step.answer.status < 300;
        if (row !== undefined && isGood && !tried.has(row)) {
          tried.add(row);
          await idle(world);
          const trial = new Trial(world, row, step, memory);
          await trial.run();
          problems.push(...trial.problems);
          sent += trial.sent;
        }
        const { status, text } = await play(world, step, memory);
        // What follows means something only where the example still works after all the bad requests before it.
        assert.equal(status, step.answer.status, `${step.title}: ${text}\n${problems.join('\n')}`);
      }
      assert.deepEqual(problems, []);
    });
  }

  it('EV1 every endpoint was tried', (t) => {
    t.diagnostic(`${sent} bad requests to ${tried.size} endpoints`);
    assert.ok(sent > 1_000, `only ${sent} bad requests were sent`);
    const missing = ROUTES.filter((row) => !tried.has(row)).map(({ method, path }) => `${method} ${path}`);
    assert.deepEqual(missing, [], 'endpoints without a golden example');
  });
});
