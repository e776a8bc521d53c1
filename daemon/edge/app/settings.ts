/** Endpoints about the application itself: settings, tasks, rate limits. */
import Type from 'typebox';
import { SettingsBody } from '../../../protocol/app/settings-body.ts';
import { decodeSettings } from '../../../protocol/app/settings-request.ts';
import { appIn, renderApp } from '../../../protocol/app/settings-view.ts';
import { fieldErrors, RosterError } from '../../../protocol/base/errors.ts';
import { clip } from '../../../protocol/base/field-path.ts';
import { QueryFlag, queryReader } from '../../../protocol/base/query-string.ts';
import type { Dialect } from '../../../protocol/base/reading.ts';
import { AnyObject } from '../../../protocol/base/schemas.ts';
import { checkHooks } from '../../../protocol/hooks/dead-letters.ts';
import { type Task, TaskStatus } from '../../../protocol/log/documents.ts';
import { timeIn } from '../../../protocol/users/answers.ts';
import { readIfMatch } from '../../../protocol/users/conditions.ts';
import { timeOf } from '../../../protocol/users/render.ts';
import { type Endpoint, inBothDialects } from '../http/endpoint.ts';
import { settingsTag } from '../http/outcome.ts';
import { PLATFORMS, type Platform } from '../rate-limits.ts';
import { taskResult } from '../transfer/exports.ts';

const Collisions = Type.Object({
  total: Type.Integer(),
  examples: Type.Array(
    Type.Object({
      name: Type.String(),
      team: Type.Optional(Type.String()),
      user_ids: Type.Array(Type.String()),
      users: Type.Integer(),
    }),
  ),
});

const switches = Object.fromEntries(PLATFORMS.map((platform) => [platform, QueryFlag])) as Record<Platform, typeof QueryFlag>;
const RateLimitsQuery = Type.Object({ ...switches, endpoints: Type.Optional(Type.String()) });
const readRateLimits = queryReader(RateLimitsQuery);

export function taskIn<In extends Dialect>(dialect: In) {
  return Type.Object({
    task_id: Type.String(),
    status: TaskStatus,
    created_at: timeIn(dialect),
    updated_at: timeIn(dialect),
    result: Type.Optional(AnyObject),
    error: Type.Optional(Type.Object({ type: Type.String(), description: Type.String() })),
  });
}

export const APP_ROUTES: readonly Endpoint[] = [
  ...inBothDialects('/app', (dialect) => ({
    operation: 'GetApp',
    method: 'GET',
    access: 'server',
    summary: 'The settings of the application',
    answer: Type.Object({ app: appIn(dialect), collisions: Type.Optional(Collisions) }),
    isTagged: true,
    handle: ({ backend: { directory, names } }) => ({
      headers: settingsTag(directory),
      body: { app: renderApp(directory.app, dialect), ...(names.collisions === undefined ? undefined : { collisions: names.collisions }) },
    }),
  })),
  ...inBothDialects('/app', (dialect) => ({
    operation: 'UpdateApp',
    method: 'PATCH',
    access: 'server',
    summary: 'Changes settings of the application',
    body: SettingsBody,
    isConditional: 'settings',
    answer: Type.Object({ collisions: Type.Optional(Collisions) }),
    handle: async ({ backend, submit, current, services, body, newId, conditions }) => {
      const ifRev = readIfMatch(conditions);
      const command = { ...decodeSettings(await body(), { dialect, newId }), ...(ifRev === undefined ? undefined : { ifRev }) };
      await current();
      const { enforce_unique_usernames: before } = backend.directory.app;
      checkHooks(command, backend.directory.app, services.hooks.mayReach);
      const { seq, isReplay } = await submit(command, 'live');
      const { enforce_unique_usernames: scope } = backend.directory.app;
      const isNamed = command.set.enforce_unique_usernames !== undefined;
      // A request that makes names unique gets the existing collisions; no new ones can arise from now on.
      if (scope === 'no' || !isNamed || (scope === before && isReplay !== true)) return { body: {}, seq };
      return { body: { collisions: await backend.nameCollisions(scope) }, seq };
    },
  })),
  ...inBothDialects('/tasks/:id', (dialect) => ({
    operation: 'GetTask',
    method: 'GET',
    access: 'server',
    summary: 'How far a task is',
    answer: taskIn(dialect),
    handle: ({ backend, services, id }) => {
      const task = backend.directory.docs.get('task', id);
      if (task === undefined) throw new RosterError('not_found', `the task ${clip(id)} does not exist`);
      const result = taskResult(task, services);
      return { body: renderTask(result === undefined ? task : { ...task, result }, dialect) };
    },
  })),
  ...inBothDialects('/rate_limits', () => ({
    operation: 'GetRateLimits',
    method: 'GET',
    access: 'user',
    summary: 'Limits of endpoints and what remains of them; a client sees nothing of what servers use',
    query: RateLimitsQuery,
    answer: Type.Record(
      Type.String(),
      Type.Record(Type.String(), Type.Object({ limit: Type.Integer(), remaining: Type.Integer(), reset: Type.Integer() })),
    ),
    handle: async ({ rateLimits, query, caller }) => {
      const { endpoints: names, ...switches } = readRateLimits(query);
      const endpoints = endpointNames(names);
      const wanted = wantedPlatforms(switches).filter((platform) => platform !== 'server_side' || caller.kind === 'server');
      const reports = await Promise.all(wanted.map(async (platform) => [platform, await rateLimits.report(platform, endpoints)] as const));
      return { body: Object.fromEntries(reports) };
    },
  })),
];

export function renderTask({ id, status, created_at, updated_at, result, error }: Task, dialect: Dialect): Record<string, unknown> {
  const time = timeOf(dialect);
  return {
    task_id: id,
    status,
    created_at: time(created_at),
    updated_at: time(updated_at),
    ...(result === undefined ? undefined : { result }),
    ...(error === undefined ? undefined : { error }),
  };
}

/** A platform is included when its switch is on; all are when no switch is. */
function wantedPlatforms(switches: Readonly<Partial<Record<Platform, boolean>>>): readonly Platform[] {
  const wanted = PLATFORMS.filter((platform) => switches[platform] === true);
  return wanted.length > 0 ? wanted : PLATFORMS;
}

/** `endpoints=A,B`. The names must be well formed; rosterd need not know them. */
function endpointNames(text: string | undefined): string[] {
  const names = (text ?? '').split(',').filter((name) => name !== '');
  if (names.every((name) => /^[A-Za-z]{1,64}$/.test(name))) return names;
  throw fieldErrors('input', [{ path: 'endpoints', message: 'must be names of endpoints with commas between them' }]);
}
