#!/usr/bin/env node
/**
 * The command `rosterd`. Plain JavaScript that is there before anything is built, because npm links a command only when its file
 * exists, and npx remembers for good that it did not. It says what is missing, or hands over to the built program.
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const main = new URL('../dist/daemon/main.js', import.meta.url);
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);

/** What keeps the program from running, and the way out. */
function obstacle() {
  if (major < 20 || (major === 20 && minor < 19)) return `Node 20.19 or later is needed; this is ${process.versions.node}`;
  if (existsSync(main)) return undefined;
  const isInstalled = existsSync(new URL('../node_modules', import.meta.url));
  return `it is not built yet. Run this first, in ${fileURLToPath(new URL('..', import.meta.url))}:\n  npm ${isInstalled ? 'run build' : 'ci'}`;
}

function fail(text) {
  process.stderr.write(`rosterd: ${text}\n`);
  process.exitCode = 1;
}

const problem = obstacle();
if (problem !== undefined) fail(problem);
else {
  await import(main.href).catch((error) => {
    if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
    fail(`a file of it is missing: install it again, or in a clone, npm run build (${error.message})`);
  });
}
