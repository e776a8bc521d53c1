/** Endpoints about the delivery of webhooks: the state of each hook, undelivered events, their replay, and a test of a hook. */
import Type from 'typebox';
import { Compile } from 'typebox/compile';
import { bodyObject, checked, type Dialect, presentFields } from '../../../protocol/base/reading.ts';
import { AnyObject } from '../../../protocol/base/schemas.ts';
import { CheckWebhookAnswer, CheckWebhookBody, decodeCheckWebhook } from '../../../protocol/hooks/check.ts';
import {
  type DeadLetter,
  deadLetterIn,
  decodeLetterPage,
  decodeReplay,
  type HookStatus,
  hookStatusIn,
  LetterPageQuery,
  ReplayBody,
} from '../../../protocol/hooks/dead-letters.ts';
import { timeOf } from '../../../protocol/users/render.ts';
import { type Endpoint, inBothDialects } from '../http/endpoint.ts';

const Key = Type.Optional(Type.String());
const SqsBody = Type.Object({ sqs_url: Key, sqs_key: Key, sqs_secret: Key });
const SnsBody = Type.Object({ sns_topic_arn: Key, sns_key: Key, sns_secret: Key });
const QueueAnswer = Type.Object({ status: Type.Literal('error'), error: Type.String(), data: Type.Object({}) });

export const HOOKS_ROUTES: readonly Endpoint[] = [
  ...inBothDialects('/hooks', (dialect) => ({
    operation: 'ListHooks',
    method: 'GET',
    access: 'server',
    summary: 'How each hook fares',
    answer: Type.Object({ hooks: Type.Array(hookStatusIn(dialect)) }),
    handle: async ({ services }) => ({ body: { hooks: (await services.hooks.status()).map((hook) => renderStatus(hook, dialect)) } }),
  })),
  ...inBothDialects('/hooks/:hook_id/dead_letters', (dialect) => ({
    operation: 'ListDeadLetters',
    method: 'GET',
    access: 'server',
    summary: 'Events that could not be delivered to a webhook, oldest first',
    query: LetterPageQuery,
    answer: Type.Object({ dead_letters: Type.Array(deadLetterIn(dialect)) }),
    handle: async ({ services, params, query }) => {
      const letters = await services.hooks.deadLetters(params.hook_id ?? '', decodeLetterPage(query));
      return { body: { dead_letters: letters.map((letter) => renderLetter(letter, dialect)) } };
    },
  })),
  ...inBothDialects('/hooks/:hook_id/dead_letters/:letter_id', (dialect) => ({
    operation: 'GetDeadLetter',
    method: 'GET',
    access: 'server',
    summary: 'One of these events, with the body that is sent when it is replayed',
    answer: Type.Object({ dead_letter: Type.Intersect([deadLetterIn(dialect), Type.Object({ body: AnyObject })]) }),
    handle: async ({ services, params: { hook_id = '', letter_id = '' } }) => {
      const { body, ...letter } = await services.hooks.letter(hook_id, letter_id);
      return { body: { dead_letter: { ...renderLetter(letter, dialect), body } } };
    },
  })),
  ...inBothDialects('/hooks/:hook_id/replay', () => ({
    operation: 'ReplayDeadLetters',
    method: 'POST',
    access: 'server',
    summary: 'Sends events that could not be delivered once more; those that are delivered leave the list',
    body: ReplayBody,
    answer: Type.Object({ replaying: Type.Integer(), remaining: Type.Integer() }),
    handle: async ({ services, params, body }) => ({
      body: { ...(await services.hooks.replay(params.hook_id ?? '', decodeReplay(await body()))) },
    }),
  })),
  ...inBothDialects('/check_webhook', (dialect) => ({
    operation: 'CheckWebhook',
    method: 'POST',
    access: 'server',
    summary: 'Sends one signed request with a test event to a webhook, or to a URL that is not saved yet. It is no delivery',
    body: CheckWebhookBody,
    answer: CheckWebhookAnswer,
    handle: async ({ services: { hooks }, body }) => {
      const trial = decodeCheckWebhook(await body(), dialect, (hostname) => hooks.mayReach(hostname));
      const { status, durationMs, error } = await hooks.trial(trial);
      const data = { ...(status === undefined ? undefined : { response_status: status }), duration_ms: durationMs };
      return { body: { status: error === undefined ? 'ok' : 'error', ...(error === undefined ? undefined : { error }), data } };
    },
  })),
  ...queueCheck('/check_sqs', 'CheckSQS', SqsBody, 'SQS'),
  ...queueCheck('/check_sns', 'CheckSNS', SnsBody, 'SNS'),
];

/** The settings keep queues for a service that fills them. rosterd does not, and the published check says so. */
function queueCheck(path: string, operation: string, schema: typeof SqsBody | typeof SnsBody, name: string): readonly Endpoint[] {
  const check = Compile(schema);
  return inBothDialects(path, () => ({
    operation,
    method: 'POST',
    access: 'server',
    summary: `Whether events can be sent to ${name}: rosterd does not`,
    body: schema,
    answer: QueueAnswer,
    handle: async ({ body }) => {
      checked(check, presentFields(bodyObject(await body())));
      return { body: { status: 'error', error: `rosterd does not deliver to ${name}; use a hook of the type webhook`, data: {} } };
    },
  }));
}

function renderStatus(hook: HookStatus, dialect: Dialect): Record<string, unknown> {
  const { id, kind, isEnabled, state, position, lag, parked, dead, lost, lastError, lastSuccessAt } = hook;
  const time = timeOf(dialect);
  return {
    ...{ id, kind, enabled: isEnabled, state },
    ...(position === undefined ? undefined : { position, lag }),
    ...{ parked, dead, lost },
    ...(lastError === undefined ? undefined : { last_error: { reason: lastError.reason, at: time(lastError.at) } }),
    ...(lastSuccessAt === undefined ? undefined : { last_success_at: time(lastSuccessAt) }),
  };
}

function renderLetter({ at, failedAt, ...letter }: DeadLetter, dialect: Dialect): Record<string, unknown> {
  const time = timeOf(dialect);
  return { ...letter, created_at: time(at), failed_at: time(failedAt) };
}
