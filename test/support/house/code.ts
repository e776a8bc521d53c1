/** What may stand in a source at all. */
import { codeOf, commentsOf, exportsOf } from './parsed.ts';
import { type HouseRule, isSource } from './tree.ts';

const IMPURE =
  /\bDate\.now\b|\bnew Date\(\)|\bMath\.random\b|\bperformance\.|\bprocess\.|\bconsole\.|\bcrypto\b|\bsetTimeout\b|\bsetInterval\b/;

/** The protocol also runs in a browser. */
const NODE_ONLY = /\bBuffer\b/;

/** HS2: the core and the protocol have no clock, no randomness and no I/O; the client library lives in time and is exempt. */
export const pureInside: HouseRule = {
  seenMin: 80,
  check(files) {
    const pure = files.filter(
      (file) => isSource(file) && /^(daemon\/core|protocol)\//.test(file.path) && !file.path.startsWith('protocol/client/'),
    );
    const wrong = pure.flatMap((file) => {
      const code = codeOf(file);
      const found = (IMPURE.exec(code) ?? (file.path.startsWith('protocol/') ? NODE_ONLY.exec(code) : null))?.[0];
      return found === undefined ? [] : [`${file.path} uses ${found}`];
    });
    return { seen: pure.length, wrong };
  },
};

/** The entries of the package: the only files that hand on what others export. */
const ENTRIES = ['protocol/index.ts', 'protocol/client/index.ts'];
const UNFINISHED = /\b(?:TODO|FIXME|XXX)\b/;
/** Where somebody's own files lie. What is written for every machine lies elsewhere. */
const MACHINE_PATH = /(?<![\w.:/-])\/(?:home|work|root|Users|tmp)\/[\w.-]+/;

/** HS4: named exports only, no barrels but the entries of the package, no unfinished notes, no paths of one machine. */
export const cleanSources: HouseRule = {
  seenMin: 400,
  check(files) {
    const wrong: string[] = [];
    for (const file of files) {
      const isCode = /^(protocol|store|daemon|test)\/.*\.tsx?$/.test(file.path);
      const note = isCode ? commentsOf(file).find(({ text }) => UNFINISHED.test(text)) : undefined;
      if (note !== undefined) wrong.push(`${file.path}:${note.line} has an unfinished note`);
      const path = MACHINE_PATH.exec(file.text)?.[0];
      if (path !== undefined) wrong.push(`${file.path} names ${path}, a path of one machine`);
      if (!isCode) continue;
      for (const { name, isHandedOn } of exportsOf(file)) {
        if (name === 'default') wrong.push(`${file.path} has a default export`);
        if (isHandedOn && !ENTRIES.includes(file.path)) wrong.push(`${file.path} hands on ${name} of another file`);
      }
    }
    return { seen: files.length, wrong };
  },
};
