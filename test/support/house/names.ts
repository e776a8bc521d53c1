/** HS13: an exported name stands for one thing in the whole product. */
import { exportsOf } from './parsed.ts';
import { type HouseRule, isSource } from './tree.ts';

export const uniqueNames: HouseRule = {
  seenMin: 700,
  check(files) {
    const homes = new Map<string, string[]>();
    for (const file of files.filter(isSource)) {
      for (const { name, isHandedOn, isRenamed } of exportsOf(file)) {
        if (isHandedOn && !isRenamed) continue;
        homes.set(name, [...(homes.get(name) ?? []), isRenamed ? `${file.path} (another name for what it hands on)` : file.path]);
      }
    }
    const wrong = [...homes].filter(([, at]) => at.length > 1).map(([name, at]) => `${name} is exported by ${at.join(', ')}`);
    return { seen: homes.size, wrong: wrong.sort() };
  },
};
