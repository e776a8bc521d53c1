/** Says which mutants the compiler refuses. `npm run check` notices those by itself, so they say nothing about the tests. */
import { execFile } from 'node:child_process';
import { cpSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import type { Mutant } from './mutants.ts';

const run = promisify(execFile);
const PARTS = ['daemon', 'protocol', 'store'];

export class TypeCheck {
  readonly #root: string;
  readonly #folder: string;
  #last: Promise<unknown> = Promise.resolve();
  #isBegun = false;

  /** @param folder an own one below `root`, which the caller removes */
  constructor(root: string, folder: string) {
    this.#root = root;
    this.#folder = folder;
  }

  /** Whether the source of the mutant, with nothing else changed, does not compile. One after the other. Rejects when it does not compile as it is. */
  refuses(mutant: Mutant, text: string): Promise<boolean> {
    const answer = this.#last.then(() => this.#check(mutant, text));
    this.#last = answer.catch(() => {});
    return answer;
  }

  async #check({ file, start, end, isStatement, replacement }: Mutant, text: string): Promise<boolean> {
    if (!this.#isBegun) {
      for (const part of [...PARTS, dirname(file)]) cpSync(join(this.#root, part), join(this.#folder, part), { recursive: true });
      if (await this.#fails(file)) throw new Error(`${file} does not compile as it is`);
      this.#isBegun = true;
    }
    const path = join(this.#folder, file);
    writeFileSync(path, `${text.slice(0, start)}${isStatement ? '{}' : `(${replacement})`}${text.slice(end)}`);
    const fails = await this.#fails(file);
    writeFileSync(path, text);
    return fails;
  }

  async #fails(file: string): Promise<boolean> {
    // What a change leaves without use is no mistake of its own.
    const compilerOptions = { noUnusedLocals: false, noUnusedParameters: false };
    const config = { extends: relative(this.#folder, join(this.#root, 'tsconfig.json')), compilerOptions, include: [], files: [file] };
    writeFileSync(join(this.#folder, 'tsconfig.json'), JSON.stringify(config));
    const tsc = join(this.#root, 'node_modules/.bin/tsc');
    return await run(tsc, ['--noEmit', '-p', this.#folder]).then(
      () => false,
      () => true,
    );
  }
}
