/**
 * Changes the behaviour of the sources at one place at a time, and counts the changes that a test notices:
 * `npm run test:mutate -- daemon/core store/lock.ts --sample 100 --seed 7`. A word is one of `AREAS`, a folder or a file; without a
 * word, all areas are tried. `--bound 85` is the share that must be noticed, in percent; `--tests core,property` names the suites.
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join, relative, resolve } from 'node:path';
import { seeded } from '../support/random.ts';
import { compile } from '../support/run/compile.ts';
import { type Learnt, learn, noticedBy } from './judge.ts';
import { instrumented, type Mutant, mutantsOf } from './mutants.ts';
import { type Fate, isTolerated, lineOf, outdated, readTolerated, summaryOf, type Tried } from './outcome.ts';

const AREAS: Readonly<Record<string, readonly string[]>> = {
  'daemon/core': ['daemon/core'],
  'daemon/pipeline': ['daemon/pipeline'],
  store: ['store'],
  'daemon/jobs': ['daemon/jobs'],
  'daemon/sync': ['daemon/sync'],
  languages: [
    ...['patch', 'patch-request', 'filter', 'filter-cost', 'filter-match', 'names'].map((stem) => `protocol/users/${stem}.ts`),
    'protocol/base/tokens.ts',
  ],
};
/** The quick ones. What only a whole daemon notices is noticed late. */
const SUITES = 'base,core,protocol,store,pipeline,edge,jobs,sync,contract,property';
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
const suites = option('tests', SUITES).split(',');

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

const stemOf = (path: string): string => basename(path).split('.')[0] ?? '';

/** The test files that reach a mutant, the likeliest to notice it first: that of its source, then the quickest. */
function orderFor({ id, file }: Numbered, learnt: readonly Learnt[]): Learnt[] {
  const isOwn = (one: Learnt): number => (stemOf(one.file) === stemOf(file) ? 0 : 1);
  return learnt.filter(({ reached }) => reached.has(id)).sort((a, b) => isOwn(a) - isOwn(b) || a.ms - b.ms);
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
);
const usable = learnt.filter(({ passed }) => passed);
for (const { file, passed } of learnt) if (!passed) console.log(`left out, as it fails without a mutant: ${relative(root, file)}`);
console.log(`${usable.length} test files took ${Math.round((Date.now() - since) / 1_000)} s`);

async function fateOf(mutant: Numbered): Promise<Fate> {
  if (isTolerated(tolerated, mutant)) return 'tolerated';
  const files = orderFor(mutant, usable);
  if (files.length === 0) return 'unreached';
  return (await noticedBy(compiled, mutant.id, files)) === undefined ? 'survived' : 'noticed';
}

const tried: Tried[] = [];
for (const mutant of chosen) {
  const fate = await fateOf(mutant);
  tried.push({ area: mutant.area, mutant, fate });
  if (fate === 'survived' || fate === 'unreached') console.log(`${tried.length}  ${fate}  ${lineOf(mutant)}`);
  else if (tried.length % 20 === 0) console.log(`${tried.length}  ${Math.round((Date.now() - since) / 1_000)} s`);
}
compiled.remove();
for (const { file, text, change } of outdated(tolerated, all))
  console.log(`survivors.json: ${file} has no "${change}" in "${text}" any more`);
const summary = summaryOf(tried, boundPercent);
console.log(summary.lines.join('\n'));
if (!summary.passed) process.exitCode = 1;
