/** What the path of a request says before any endpoint is found: its dialect, and which methods there are for it. */
import type { Endpoint, RouteDialect } from './endpoint.ts';

/** Paths below this prefix are of the feeds dialect, also where there is no endpoint. */
export function dialectOfPath(url: string): RouteDialect {
  if (/^\/+api\/+v1\.0(\/|\?|$)/.test(url)) return 'feeds';
  return /^\/+api\/+v2(\/|\?|$)/.test(url) ? 'v2' : 'v1';
}

/** Methods of the endpoints whose pattern matches the path of `url`. */
export function methodsOf(endpoints: readonly Endpoint[], url: string): string[] {
  const path = (url.split('?')[0] ?? '').replaceAll(/\/+/g, '/').replace(/(?<=.)\/$/, '');
  const matching = endpoints.filter((route) =>
    new RegExp(`^${route.path.replaceAll('.', '\\.').replaceAll(/:[a-z_]+/g, '[^/]+')}$`).test(path),
  );
  return [...new Set(matching.map((route) => route.method))];
}
