/**
 * Isolated applications, such as one for each worker of a test run.
 *
 * It keeps EM4 and EM5 (../README.md).
 */
import Type from 'typebox';
import type { EmulatedApp } from '../app.ts';
import { type ControlEndpoint, endpoint, posted } from './endpoint.ts';

const AppBody = Type.Object({
  key: Type.Optional(Type.String()),
  secret: Type.Optional(Type.String()),
  settings: Type.Optional(Type.Record(Type.String(), Type.Union([Type.String(), Type.Number(), Type.Boolean()]))),
});

export function appView({ credentials, url, roster }: EmulatedApp) {
  return { key: credentials.apiKey, url, emulator_url: `${url}/emulator`, users: roster.directory.size };
}

export const APPS_ENDPOINTS: readonly ControlEndpoint[] = [
  endpoint('GET', '/emulator/apps', {
    about: 'the applications of this emulator',
    handle: ({ all }) => ({ body: { apps: all.apps.map(appView) } }),
  }),
  posted('/emulator/apps', AppBody, {
    about: 'starts an isolated application with its own key, secret and URL: {"key"?, "secret"?, "settings"?: {"connect.role": "keep"}}',
    handle: async ({ all, body }) => {
      const app = await all.add(body);
      return { status: 201, body: { ...appView(app), secret: app.credentials.apiSecret } };
    },
  }),
  endpoint('DELETE', '/emulator/apps/{key}', {
    about: 'ends one',
    handle: async ({ app, all, params: { key = '' } }) => {
      await all.remove(key, app);
      return { body: { removed: key } };
    },
  }),
];
