/** Where a file stands: how full a folder is, under which room a name stands, which source a test mirrors, and what code names beside itself. */
import { posix } from 'node:path';
import { folderOf, type HouseRule, isSource } from './tree.ts';

const FILES_MAX = 20;

/** HS9: a folder has at most 20 files, its README aside. */
export const fewFiles: HouseRule = {
  seenMin: 100,
  check(files) {
    const counts = new Map<string, number>();
    for (const { path } of files) {
      if (!path.endsWith('README.md')) counts.set(folderOf(path), (counts.get(folderOf(path)) ?? 0) + 1);
    }
    const full = [...counts].filter(([, count]) => count > FILES_MAX);
    return {
      seen: counts.size,
      wrong: full.map(([folder, count]) => `${folder === '' ? 'the root' : folder} has ${count} files; at most ${FILES_MAX} are allowed`),
    };
  },
};

/** The layers whose behaviour is one file per layer, and the rooms it stands in. Other rooms are technical: each transport may have a `server`. */
const STEMS = /^(?:protocol|daemon\/(?:core|edge|jobs))\/(users|moderation|access|app|feeds|transfer|hooks)\/(?:.*\/)?([^/]+)\.ts$/;

/** HS10: a stem stands under one room name, so that it leads from layer to layer. */
export const oneRoomPerStem: HouseRule = {
  seenMin: 60,
  check(files) {
    const rooms = new Map<string, Map<string, string>>();
    let seen = 0;
    for (const file of files.filter(isSource)) {
      const [, room, stem] = STEMS.exec(file.path) ?? [];
      if (room === undefined || stem === undefined) continue;
      seen++;
      const known = rooms.get(stem) ?? new Map<string, string>();
      rooms.set(stem, known.set(room, known.has(room) ? `${known.get(room)}, ${file.path}` : file.path));
    }
    const wrong = [...rooms]
      .filter(([, known]) => known.size > 1)
      .map(([stem, known]) => `${stem} stands in the rooms ${[...known.keys()].join(' and ')}: ${[...known.values()].join(', ')}`);
    return { seen, wrong };
  },
};

const MIRROR: Readonly<Record<string, string>> = {
  protocol: 'protocol',
  store: 'store',
  base: 'daemon/base',
  core: 'daemon/core',
  pipeline: 'daemon/pipeline',
  edge: 'daemon/edge',
  jobs: 'daemon/jobs',
  sync: 'daemon/sync',
  metrics: 'daemon/metrics',
  cli: 'daemon/cli',
  emulator: 'daemon/emulator',
  console: 'daemon/console',
};

/** HS11: a test of one part stands where its source stands: `<stem>.test.ts` or `<stem>.<aspect>.test.ts` at the place of `<stem>.ts`. */
export const testsMirrorSources: HouseRule = {
  seenMin: 50,
  check(files) {
    const paths = new Set(files.map(({ path }) => path));
    const wrong: string[] = [];
    let seen = 0;
    for (const { path } of files) {
      const [, suite, room, stem] = /^test\/([^/]+)\/((?:.*\/)?)([^/.]+)(?:\.[a-z-]+)?\.test\.ts$/.exec(path) ?? [];
      const layer = MIRROR[suite ?? ''];
      if (layer === undefined) continue;
      seen++;
      const source = `${layer}/${room}${stem}.ts`;
      if (!paths.has(source)) wrong.push(`${path} has no ${source}`);
    }
    return { seen, wrong };
  },
};

/** A path that code puts together from the place of its own file, as one literal. */
const BESIDE_ITSELF = /import\.meta\.dirname,\s*'([\w./-]+)'/g;
/** Made, not kept. */
const BUILT = /^dist\//;

/** HS18: a file or folder that code names from its own place exists, so that a move takes such names along. */
export const namedPlacesExist: HouseRule = {
  seenMin: 10,
  check(files) {
    const places = new Set<string>(['']);
    for (const { path } of files) {
      for (let place = path; place !== ''; place = folderOf(place)) places.add(place);
    }
    const wrong: string[] = [];
    let seen = 0;
    for (const file of files.filter(({ path }) => /\.[jt]s$/.test(path))) {
      for (const [, named = ''] of file.text.matchAll(BESIDE_ITSELF)) {
        seen++;
        const place = posix.join(folderOf(file.path), named).replace(/^\.$/, '');
        if (!places.has(place) && !BUILT.test(place)) wrong.push(`${file.path} names ${named}, and ${place} does not exist`);
      }
    }
    return { seen, wrong };
  },
};
