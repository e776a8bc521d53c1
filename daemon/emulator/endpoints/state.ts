/**
 * What an application holds: emptied, seeded, saved and restored.
 *
 * It keeps EM6–EM8 (../README.md).
 */
import Type from 'typebox';
import { errorText, fieldErrors } from '../../../protocol/base/errors.ts';
import { isObject } from '../../../protocol/base/json.ts';
import { positionText } from '../../../protocol/base/position-text.ts';
import { AnyObject } from '../../../protocol/base/schemas.ts';
import { ConfigError } from '../../cli/config/config.ts';
import { BrokenSource } from '../../sync/rows.ts';
import type { Format } from '../../sync/sources/opened-source.ts';
import type { EmulatedApp } from '../app.ts';
import { seedText } from '../seed.ts';
import type { NamedSnapshot } from '../snapshots.ts';
import { type ControlAnswer, type ControlEndpoint, checkedName, endpoint, posted } from './endpoint.ts';

const SEED_BYTES_MAX = 32 * 1024 * 1024;

const SeedBody = Type.Object({
  users: Type.Optional(Type.Union([Type.Array(AnyObject), Type.Record(Type.String(), AnyObject)])),
  csv: Type.Optional(Type.String()),
  ndjson: Type.Optional(Type.String()),
});
const Nothing = Type.Object({});

export function snapshotView({ name, users, bytes }: NamedSnapshot) {
  return { name, users, bytes };
}

export const STATE_ENDPOINTS: readonly ControlEndpoint[] = [
  posted('/emulator/reset', Nothing, {
    about: 'forgets all users, settings, events, faults and deliveries, and the clock runs with the machine again; snapshots stay',
    handle: async ({ app }) => {
      await app.reset();
      return state(app);
    },
  }),
  posted('/emulator/seed', SeedBody, {
    about: 'brings in users: {"users": […] or {…}}, {"csv": "…"} or {"ndjson": "…"}, in every form that rosterd sync reads',
    bodyBytesMax: SEED_BYTES_MAX,
    handle: async ({ app, body: { users, csv, ndjson } }) => {
      const forms = { json: users, csv, ndjson };
      const given = (['json', 'csv', 'ndjson'] as const).filter((format) => forms[format] !== undefined);
      const [format] = given;
      if (format === undefined || given.length > 1)
        throw fieldErrors('input', [{ path: 'users', message: 'give one of users, csv and ndjson' }]);
      return await seed(app, format, csv ?? ndjson ?? JSON.stringify(listOf(users)));
    },
  }),
  endpoint('GET', '/emulator/snapshots', {
    about: 'the named snapshots',
    handle: ({ app }) => ({ body: { snapshots: app.snapshots.all.map(snapshotView) } }),
  }),
  posted('/emulator/snapshots/{name}', Nothing, {
    about: 'keeps users, settings and files under a name',
    handle: async ({ app, params: { name = '' } }) => {
      await app.save(checkedName('name', name));
      return { status: 201, body: snapshotView(app.snapshots.find(name)) };
    },
  }),
  posted('/emulator/snapshots/{name}/restore', Nothing, {
    about: 'puts them back; live clients begin again',
    handle: async ({ app, params: { name = '' } }) => {
      await app.restore(name);
      return state(app);
    },
  }),
  endpoint('GET', '/emulator/snapshots/{name}', {
    about: 'one of them',
    handle: ({ app, params: { name = '' } }) => ({ body: snapshotView(app.snapshots.find(name)) }),
  }),
  endpoint('DELETE', '/emulator/snapshots/{name}', {
    about: 'removes it',
    handle: ({ app, params: { name = '' } }) => {
      app.snapshots.remove(name);
      return { body: { removed: name } };
    },
  }),
];

function state({ roster }: EmulatedApp): ControlAnswer {
  return { body: { users: roster.directory.size, position: positionText(roster.position) } };
}

/** The error lists what is wrong, and the users that are right are in all the same. */
async function seed(app: EmulatedApp, format: Format, text: string): Promise<ControlAnswer> {
  try {
    const seeded = await seedText(app.roster, text, format);
    return { status: seeded.problems.length === 0 ? 200 : 400, body: { ...seeded } };
  } catch (error) {
    if (!(error instanceof BrokenSource || error instanceof ConfigError)) throw error;
    throw fieldErrors('input', [{ path: format === 'json' ? 'users' : format, message: errorText(error) }]);
  }
}

/** A map names each user by its key. Throws RosterError `input` where a user says something else. */
function listOf(users: unknown): readonly unknown[] {
  if (Array.isArray(users)) return users;
  return Object.entries(isObject(users) ? users : {}).map(([id, user]) => {
    const named = isObject(user) ? user.id : undefined;
    if (named !== undefined && named !== id)
      throw fieldErrors('input', [{ path: `users[${id}].id`, message: `must be "${id}", as its key` }]);
    return { ...(isObject(user) ? user : {}), id };
  });
}
