/** Who may import whom: between the layers, and between the rooms of one. */
import { importsOf } from './parsed.ts';
import { type HouseRule, isSource } from './tree.ts';

/** For each folder: what its files may import, besides themselves. Folders by path prefix, packages by name. */
const LAYERS: readonly { readonly folder: string; readonly may: readonly (string | RegExp)[] }[] = [
  { folder: 'protocol/client/', may: [/^protocol\//, 'eventemitter3'] },
  { folder: 'protocol/', may: [/^typebox(\/|$)/] },
  { folder: 'store/', may: [/^protocol\//, /^node:/, /^lowdb(\/|$)/, 'pg'] },
  { folder: 'daemon/base/', may: [/^node:/] },
  { folder: 'daemon/core/', may: [/^protocol\//] },
  {
    folder: 'daemon/pipeline/',
    may: [
      /^daemon\/base\//,
      /^daemon\/core\//,
      /^protocol\//,
      'store/leases.ts',
      'store/log.ts',
      'store/peers.ts',
      'store/snapshot.ts',
      /^node:/,
      'p-limit',
    ],
  },
  {
    folder: 'daemon/edge/',
    may: [
      /^daemon\/base\//,
      /^daemon\/pipeline\//,
      /^daemon\/core\//,
      /^protocol\//,
      'store/mailbox.ts',
      /^node:/,
      /^typebox(\/|$)/,
      'fastify',
      'find-my-way',
      'pako',
      'ws',
      'socket.io',
      'socket.io-parser',
      'pino',
      'p-limit',
      'rate-limiter-flexible',
    ],
  },
  { folder: 'daemon/sync/', may: [/^daemon\/base\//, /^protocol\//, /^node:/, 'csv-parse', 'p-limit'] },
  {
    folder: 'daemon/jobs/',
    may: [
      /^daemon\/base\//,
      /^daemon\/sync\//,
      /^daemon\/pipeline\//,
      /^protocol\//,
      'store/append-file.ts',
      'store/blobs.ts',
      'store/disk-errors.ts',
      'store/file-system.ts',
      'store/node-file-system.ts',
      'store/history.ts',
      'store/leases.ts',
      'store/letters.ts',
      /^node:/,
      'p-limit',
      'rate-limiter-flexible',
    ],
  },
  // A page: no module of Node's, and nothing of the daemon.
  { folder: 'daemon/console/', may: [/^protocol\//, 'preact', 'preact/hooks', '@preact/signals', 'uplot'] },
  // Reads the numbers of all parts; none of them knows that metrics exist.
  {
    folder: 'daemon/metrics/',
    may: [/^daemon\/(base|core|pipeline|edge|jobs)\//, /^protocol\//, /^node:/, 'prom-client'],
  },
  // What production runs must not need the emulator; only its command does.
  { folder: 'daemon/cli/emulator/', may: [/./] },
  { folder: 'daemon/cli/', may: [/^(?!daemon\/emulator\/)/] },
  // A daemon in memory for tests of others: it runs the daemon as the command line does, so it stands beside that, and nothing else needs it.
  { folder: 'daemon/emulator/', may: [/^(?!daemon\/cli\/(commands\.ts|emulator\/))/] },
  { folder: 'daemon/main.ts', may: [/./] },
];

/** HS1: imports go inward only, and nothing imports `daemon/main.ts`. */
export const inwardOnly: HouseRule = {
  seenMin: 1500,
  check(files) {
    const wrong: string[] = [];
    let seen = 0;
    for (const file of files.filter(isSource)) {
      const layer = LAYERS.find(({ folder }) => file.path.startsWith(folder));
      if (layer === undefined) {
        wrong.push(`${file.path} is in no folder that the rules know`);
        continue;
      }
      for (const target of importsOf(file)) {
        seen++;
        const isOwn = layer.folder.endsWith('/') && target.startsWith(layer.folder) && !target.startsWith('protocol/client/');
        const isAllowed = isOwn || layer.may.some((allowed) => (typeof allowed === 'string' ? allowed === target : allowed.test(target)));
        if (!isAllowed || target === 'daemon/main.ts') wrong.push(`${file.path} imports ${target}`);
      }
    }
    return { seen, wrong };
  },
};

/** HS7: no file imports itself through others, types included. A circle is told as all the files in it. */
export const noCircles: HouseRule = {
  seenMin: 1500,
  check(files) {
    const sources = files.filter((file) => isSource(file) || /^test\/.*\.ts$/.test(file.path));
    const known = new Set(sources.map(({ path }) => path));
    const imports = new Map(sources.map((file) => [file.path, importsOf(file).filter((target) => known.has(target))]));
    const wrong = circlesOf(imports).map((circle) => `${circle.length} files import one another: ${circle.join(', ')}`);
    return { seen: [...imports.values()].reduce((sum, targets) => sum + targets.length, 0), wrong };
  },
};

/** The groups of files each of which reaches every other one of its group (Tarjan). */
function circlesOf(imports: ReadonlyMap<string, readonly string[]>): string[][] {
  const numbers = new Map<string, number>();
  const lowest = new Map<string, number>();
  const stack: string[] = [];
  const circles: string[][] = [];
  const lower = (file: string, to: number | undefined): void => {
    lowest.set(file, Math.min(lowest.get(file) ?? 0, to ?? 0));
  };
  const reach = (file: string): void => {
    const number = numbers.size;
    numbers.set(file, number);
    lowest.set(file, number);
    stack.push(file);
    const targets = imports.get(file) ?? [];
    for (const target of targets) {
      if (!numbers.has(target)) {
        reach(target);
        lower(file, lowest.get(target));
      } else if (stack.includes(target)) lower(file, numbers.get(target));
    }
    if (lowest.get(file) !== number) return;
    const circle = stack.splice(stack.indexOf(file));
    if (circle.length > 1 || targets.includes(file)) circles.push(circle.sort());
  };
  for (const file of imports.keys()) if (!numbers.has(file)) reach(file);
  return circles.sort((one, other) => (one.join() < other.join() ? -1 : 1));
}

/** A room: a folder, a file, several of them, or `.` for the files of the layer's own folder that no other room names. */
type Room = string | readonly string[];

type Order = Readonly<Record<string, readonly (readonly Room[])[]>>;

/**
 * The rooms of each layer, from the inside out. A room may import the rooms of the lines before its own, and none of its own line
 * or of those after it. A file belongs to the room that names it most closely. Every file has a room, and every room has a file.
 */
export const ROOMS: Order = {
  protocol: [
    ['base'],
    ['users'],
    ['app'],
    ['access', 'moderation', 'feeds', 'transfer'],
    ['log'],
    ['live'],
    ['hooks'],
    [['client/client-error.ts', 'client/types.ts', 'client/document-types.ts', 'client/nodes.ts']],
    ['client/tokens'],
    ['client/api', 'client/link'],
    ['client/copy'],
    ['client'],
    ['.'],
  ],
  store: [['.'], ['journal'], ['snapshot'], ['backup', 'postgres'], ['postgres/offline'], [['memory-log.ts', 'data-dir.ts']], ['memory']],
  'daemon/core': [
    ['policy.ts'],
    ['directory'],
    ['.'],
    ['access', 'hooks', 'transfer'],
    ['app'],
    ['users'],
    ['moderation', 'feeds'],
    ['expire.ts', 'document-events.ts'],
    ['decide.ts'],
  ],
  'daemon/pipeline': [['write', 'tell'], ['.']],
  'daemon/edge': [
    [
      [
        'http',
        'answers',
        'auth.ts',
        'node-share.ts',
        'published-limits.ts',
        'rate-limits.ts',
        'rate-headers.ts',
        'request-counts.ts',
        'sign-token.ts',
        'strangers.ts',
      ],
    ],
    ['users', 'transfer', 'nodes'],
    ['moderation', 'access', 'app', 'hooks', 'compat', 'live/why.ts', 'live/rehearsal.ts', 'describe'],
    ['moderation', 'access', 'app', 'hooks', 'compat', 'live/why.ts', 'live/connection-list.ts', 'live/connections.ts', 'describe'],
    ['feeds'],
    ['routes.ts'],
    ['router.ts'],
    ['console', 'framework.ts', 'inside.ts'],
    ['http/server.ts', 'live'],
    ['live/session'],
    ['live/websocket'],
    ['live/socket-io'],
  ],
  'daemon/console': [
    [['address.ts', 'view.ts']],
    ['talk'],
    ['parts'],
    ['users', 'live', 'hooks', 'jobs', 'backup', 'tokens', 'tools', 'plans'],
    ['overview', 'connections', 'access', 'settings', 'shell'],
    ['user'],
    ['.'],
    [['main.tsx']],
  ],
  'daemon/sync': [['.'], ['plan'], ['apply', 'sources']],
  'daemon/jobs': [['tasks'], ['transfer', 'hooks', 'history'], ['.']],
  'daemon/metrics': [
    ['metric-spec.ts'],
    [['live-metrics.ts', 'request-metrics.ts', 'directory-metrics.ts', 'storage-metrics.ts', 'hook-metrics.ts', 'process-metrics.ts']],
    [['all-metrics.ts', 'samples.ts']],
    ['exposition.ts'],
    ['listener.ts'],
  ],
  'daemon/cli': [
    ['config'],
    [['visible.ts', 'io.ts', 'interrupts.ts', 'version.ts', 'token.ts', 'client-options.ts', 'own-command.ts']],
    ['sync/sources'],
    ['sync', 'watch', 'backup', 'demo', 'nodes'],
    ['call'],
    ['compare'],
    ['console'],
    ['serve'],
    ['cluster', 'doctor', 'emulator'],
    ['commands.ts'],
  ],
};

interface Place {
  /** How it calls the file's room. */
  readonly name: string;
  readonly room: Room;
  readonly rank: number;
}

/** Where a file stands within its layer: the longest name that it has there. */
function placeOf(ranks: readonly (readonly Room[])[], inside: string): Place | undefined {
  const names = ranks.flatMap((rooms, rank) =>
    rooms.flatMap((room) => (typeof room === 'string' ? [room] : room).map((name): Place => ({ name, room, rank }))),
  );
  const closest = names
    .filter(({ name }) => inside === name || inside.startsWith(`${name}/`))
    .sort((one, other) => other.name.length - one.name.length)[0];
  return closest ?? (inside.includes('/') ? undefined : names.find(({ name }) => name === '.'));
}

const roomName = (layer: string, { room }: Place): string =>
  room === '.' ? `${layer}/*.ts` : `${layer}/${typeof room === 'string' ? room : `{${room.join(', ')}}`}`;

/** HS8: the rooms of a layer import in one order. */
export function roomsInOrder(order: Order): HouseRule {
  return {
    seenMin: 400,
    check(files) {
      const wrong: string[] = [];
      const empty = new Set(Object.entries(order).flatMap(([layer, ranks]) => ranks.flat(2).map((name) => `${layer}/${name}`)));
      let seen = 0;
      for (const file of files.filter(isSource)) {
        const layer = Object.keys(order).find((name) => file.path.startsWith(`${name}/`));
        if (layer === undefined) continue;
        const ranks = order[layer] ?? [];
        const from = placeOf(ranks, file.path.slice(layer.length + 1));
        if (from === undefined) {
          wrong.push(`${file.path} is in no room of ${layer}`);
          continue;
        }
        empty.delete(`${layer}/${from.name}`);
        for (const target of importsOf(file)) {
          const to = target.startsWith(`${layer}/`) ? placeOf(ranks, target.slice(layer.length + 1)) : undefined;
          if (to === undefined || to.room === from.room) continue;
          seen++;
          if (to.rank >= from.rank)
            wrong.push(`${file.path} imports ${target}, but ${roomName(layer, to)} does not come before ${roomName(layer, from)}`);
        }
      }
      for (const name of empty) if (!name.endsWith('/.')) wrong.push(`${name} is a room without files`);
      return { seen, wrong };
    },
  };
}
