/** Every endpoint below /emulator, in the order in which `GET /emulator` lists them. */
import { packageVersion } from '../../cli/version.ts';
import { APPS_ENDPOINTS, appView } from './apps.ts';
import { type ControlEndpoint, endpoint } from './endpoint.ts';
import { faultView, LIVE_ENDPOINTS } from './live.ts';
import { STATE_ENDPOINTS, snapshotView } from './state.ts';
import { clockView, TIME_ENDPOINTS } from './time.ts';
import { WATCHING_ENDPOINTS } from './watching.ts';

const INDEX = endpoint('GET', '/emulator', {
  about: 'what this is, and its state',
  handle: ({ app, all }) => ({
    body: {
      name: 'rosterd emulator',
      version: packageVersion(),
      app: appView(app),
      apps: all.apps.map(appView),
      clock: clockView(app),
      faults: app.faults.all.map(faultView),
      snapshots: app.snapshots.all.map(snapshotView),
      connections: [...app.sessions.all].length,
      endpoints: CONTROL_ENDPOINTS.map(({ method, path, query, about }) => ({
        endpoint: `${method} ${path}${query.length === 0 ? '' : `?${query.map((name) => `${name}=`).join('&')}`}`,
        about,
      })),
    },
  }),
});

export const CONTROL_ENDPOINTS: readonly ControlEndpoint[] = [
  INDEX,
  ...STATE_ENDPOINTS,
  ...APPS_ENDPOINTS,
  ...TIME_ENDPOINTS,
  ...WATCHING_ENDPOINTS,
  ...LIVE_ENDPOINTS,
];
