/**
 * Changes the behaviour of the sources at one place at a time, and counts the changes that a test notices:
 * `npm run test:mutate -- daemon/core store/lock.ts --sample 100 --seed 7`. A word is one of `AREAS`, a folder or a file; without a
 * word, all areas are tried. `--bound 85` is the share that must be noticed, in percent; `--tests core,property` names the suites;
 * `--at-once 4` is how many changes are tried at the same time.
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { seeded } from '../support/random.ts';
import { compile } from '../support/run/compile.ts';
import { each, type Learnt, learn, noticedBy, type Suspects } from './judge.ts';
import { instrumented, type Mutant, mutantsOf } from './mutants.ts';
import { type Fate, isTolerated, lineOf, outdated, readTolerated, summaryOf, type Tried } from './outcome.ts';
import { TypeCheck } from './types.ts';

const AREAS: Readonly<Record<string, readonly string[]>> = {
  'daemon/core': ['daemon/core'],
  'daemon/pipeline': ['daemon/pipeline'],
  store: ['store'],
  'daemon/jobs': ['daemon/jobs'],
  'daemon/sync': ['daemon/sync'],
  languages: [
    ...['patch', 'patch-request', 'names', 'finding/filter', 'finding/filter-cost', 'finding/filter-match'].map(
      (stem) => `protocol/users/${stem}.ts`,
    ),
    'protocol/base/tokens.ts',
  ],
};
/** The quick ones, on simulated disks. What only a whole daemon notices is noticed late. */
const SUITES = [
  ...['base', 'core', 'protocol', 'store', 'pipeline', 'edge', 'jobs', 'sync', 'contract', 'property'],
  ...['journal-damage', 'power-loss', 'backup-restore', 'lock'].map((stem) => `crash/${stem}.test.ts`),
];
const root = resolve(import.meta.dirname, '../..');

interface Numbered extends Mutant {
  readonly id: number;
  readonly area: string;
}

const words = process.argv.slice(2);
const option = (name: string, fallback: string): string => {
  const at = words.indexOf(`--${name}`);
  return at === -1 ? fallback : (words.splice(at, 2)[1] ?? fallback);
};
const sampleSize = Number(option('sample', '100'));
const seed = Number(option('seed', String(Math.floor(Math.random() * 1_000_000))));
const boundPercent = Number(option('bound', '85'));
const atOnce = Number(option('at-once', '3'));
const suites = option('tests', SUITES.join()).split(',');

function filesIn(path: string, ending: string): string[] {
  const whole = join(root, path);
  if (!existsSync(whole)) {
    console.error(`there is no ${path}`);
    process.exit(2);
  }
  if (statSync(whole).isFile()) return [path];
  const names = readdirSync(whole, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith(ending));
  return names.sort().map((name) => join(path, name));
}

/** `count` of `from`, each as likely as the others. */
function sampled<T>(from: readonly T[], count: number, random: () => number): T[] {
  const left = [...from];
  for (let at = 0; at < Math.min(count, left.length); at++) {
    const other = at + Math.floor(random() * (left.length - at));
    [left[at], left[other]] = [left[other] as T, left[at] as T];
  }
  return left.slice(0, count);
}

/** A change that only tests beyond these notice is noticed by luck. */
const SUSPECT_FILES_MAX = 40;
const SUSPECTS_MS_MAX = 30_000;
/** For one outside of functions, such as a text of SQL, which every file reaches that loads its source: that says little. */
const LOADED_MS_MAX = 120_000;

const stemOf = (path: string): string => basename(path).split('.')[0] ?? '';

/** Whether `history-tables` and `history`, or `mail-table` and `mailbox`, have their name from the same thing. */
function isAkin(...stems: readonly string[]): boolean {
  const [one = '', other = ''] = stems.map((stem) => stem.split('-')[0]);
  return one.startsWith(other) || other.startsWith(one);
}

/** How likely a test file is to notice a change in `source`: 0 for that of the source, 1 for that of its room, 2 for that of its layer. */
function distance(test: string, source: string): number {
  if (stemOf(test) === stemOf(source)) return 0;
  if (isAkin(stemOf(test), stemOf(source))) return 0.5;
  const [of, folder] = [dirname(test), dirname(source)].map((path) => path.replace(/^(daemon|test)\//, ''));
  if (of === folder) return 1;
  return of?.split('/')[0] === folder?.split('/')[0] ? 2 : 3;
}

/** The tests that reach a mutant, the likeliest to notice it first, then the quickest. For one reached outside of tests, all of the file. */
function suspectsOf({ id, file }: Numbered, learnt: readonly Learnt[]): Suspects[] {
  const all = learnt.flatMap(({ file: test, tests }) => {
    const reaching = tests.filter(({ ids }) => ids.includes(id));
    if (reaching.length === 0) return [];
    const named = reaching.some(({ name }) => name === '') ? [] : reaching;
    const ms = (named.length === 0 ? tests : named).reduce((sum, one) => sum + one.ms, 0);
    return [{ file: test, ms, names: named.map(({ name }) => name), far: distance(relative(root, test), file) }];
  });
  const likeliest = all.sort((a, b) => a.far - b.far || a.ms - b.ms).slice(0, SUSPECT_FILES_MAX);
  const msMax = likeliest.every(({ names }) => names.length === 0) ? LOADED_MS_MAX : SUSPECTS_MS_MAX;
  let ms = 0;
  const enough = likeliest.findIndex((one, index) => {
    ms += one.ms;
    return index > 0 && ms > msMax;
  });
  return enough === -1 ? likeliest : likeliest.slice(0, enough);
}

const textOf = (path: string): string => readFileSync(join(root, path), 'utf8');
const tolerated = readTolerated(join(root, 'test/mutate/survivors.json'));
const random = seeded(seed);
const all: Mutant[] = [];
const chosen: Numbered[] = [];
for (const area of words.length === 0 ? Object.keys(AREAS) : words) {
  const inArea = (AREAS[area] ?? [area]).flatMap((path) => filesIn(path, '.ts')).flatMap((path) => mutantsOf(path, textOf(path)));
  all.push(...inArea);
  for (const mutant of sampled(inArea, sampleSize, random)) chosen.push({ ...mutant, area, id: chosen.length });
}
console.log(`${chosen.length} of ${all.length} mutants, --seed ${seed}`);

const testFiles = suites.flatMap((suite) => filesIn(existsSync(join(root, 'test', suite)) ? `test/${suite}` : suite, '.test.ts'));
const compiled = await compile(
  root,
  testFiles.map((path) => join(root, path)),
  {
    text: (path, text) =>
      instrumented(
        text,
        chosen.filter(({ file }) => file === relative(root, path)),
      ),
    exportsFrom: join(root, 'test/mutate/switch.ts'),
  },
);
const since = Date.now();
const learnt = await learn(
  compiled,
  testFiles.map((path) => join(root, path)),
  atOnce,
);
const usable = learnt.filter(({ passed }) => passed);
for (const { file, passed } of learnt) if (!passed) console.log(`left out, as it fails without a mutant: ${relative(root, file)}`);
console.log(`${usable.length} test files took ${Math.round((Date.now() - since) / 1_000)} s`);

const types = new TypeCheck(root, join(compiled.folder, 'types'));

async function fateOf(mutant: Numbered): Promise<Fate> {
  if (isTolerated(tolerated, mutant)) return 'tolerated';
  const suspects = suspectsOf(mutant, usable);
  if (suspects.length > 0 && (await noticedBy(compiled, mutant.id, suspects)) !== undefined) return 'noticed';
  if (await types.refuses(mutant, textOf(mutant.file))) return 'refused';
  return suspects.length === 0 ? 'unreached' : 'survived';
}

const tried: Tried[] = [];
await each(chosen, atOnce, async (mutant) => {
  const fate = await fateOf(mutant);
  tried.push({ area: mutant.area, mutant, fate });
  if (fate === 'survived' || fate === 'unreached') console.log(`${tried.length}  ${fate}  ${lineOf(mutant)}`);
  else if (tried.length % 20 === 0) console.log(`${tried.length}  ${Math.round((Date.now() - since) / 1_000)} s`);
});
compiled.remove();
for (const { file, text, change } of outdated(tolerated, all))
  console.log(`survivors.json: ${file} has no "${change}" in "${text}" any more`);
const summary = summaryOf(tried, boundPercent);
console.log(summary.lines.join('\n'));
if (!summary.passed) process.exitCode = 1;
