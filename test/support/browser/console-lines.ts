/** The commands that the console shows, run by a shell as an operator would run them. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { API_KEY, API_SECRET, serverToken, type World } from '../world.ts';

const COMMAND = resolve(import.meta.dirname, '../../../daemon/rosterd.js');
/** `npx rosterd` is the command of this tree; everything else is as the page shows it. */
const SHELL = `set -e; npx() { shift; '${process.execPath}' '${COMMAND}' "$@"; };`;

/** Runs each line in the folder of the daemon, one after the other. `codes`: how they end. Resolves with what they print. */
export async function linesRun(lines: readonly string[], world: World, codes: readonly number[] = lines.map(() => 0)): Promise<string[]> {
  const printed: string[] = [];
  for (const [at, line] of lines.entries()) {
    const { code, out, err } = await shell(`${SHELL} ${line}`, world);
    assert.equal(code, codes[at], `${line}\n${out}\n${err}`);
    if (line.startsWith('curl')) assert.ok(!/"StatusCode":[45]/.test(out), `${line}\n${out}`);
    printed.push(out);
  }
  return printed;
}

function shell(script: string, world: World): Promise<{ code: number; out: string; err: string }> {
  const env = { ...process.env, ROSTERD_TOKEN: serverToken(), ROSTERD_API_KEY: API_KEY, ROSTERD_API_SECRET: API_SECRET };
  return new Promise((done) => {
    execFile('sh', ['-c', script], { cwd: world.data, env }, (error, out, err) =>
      done({ code: error === null ? 0 : Number(error.code), out, err }),
    );
  });
}
