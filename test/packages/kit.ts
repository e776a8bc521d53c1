/** What the trials of all packages need: commands with their output, a daemon that was started from a package, and a list of results. */
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { eventually } from '../support/eventually.ts';

export const ROOT = resolve(import.meta.dirname, '../..');
/** Where the packages are left. */
export const PACKAGES = join(ROOT, 'dist-packages');
/** Installing waits for a registry, building a system for a mirror. */
const COMMAND_MS_MAX = 900_000;
/** A stop takes as long as its drain, and then moments. */
const STOP_MS_MAX = 60_000;
const OUTPUT_BYTES_MAX = 64 * 1024 * 1024;
const REASON_CHARS_MAX = 4_000;

export const say = (line: string): void => console.log(line);

export interface CommandOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Exit codes that are no failure; 0 alone by default. */
  readonly codes?: readonly number[];
}

/** Resolves with stdout and stderr together. Rejects with both when the exit code is another one. */
export async function output(file: string, args: readonly string[], { cwd = ROOT, env = plainEnv(), codes = [0] }: CommandOptions = {}) {
  const limits = { timeout: COMMAND_MS_MAX, maxBuffer: OUTPUT_BYTES_MAX };
  return await new Promise<string>((done, failed) => {
    execFile(file, args, { cwd, env, ...limits }, (error, stdout, stderr) => {
      const said = `${stdout}${stderr}`;
      const code = error === null ? 0 : error.code;
      if (typeof code === 'number' && codes.includes(code)) return done(said);
      failed(new Error(`${file} ${args.join(' ')}: ${error?.message.split('\n')[0]}\n${said.slice(-REASON_CHARS_MAX)}`));
    });
  });
}

/** The caller's environment without settings of rosterd, and without what npm tells the scripts that it runs. */
export function plainEnv(more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !/^(ROSTERD_|npm_(?!config_)|NODE_OPTIONS$|INIT_CWD$)/.test(name));
  return { ...Object.fromEntries(kept), ...more };
}

export interface Served {
  readonly file: string;
  /** Up to and with the flags of `serve`; it must listen on port 0 of 127.0.0.1. */
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
}

/** Starts a daemon, waits for its greeting and for 200 from /readyz, calls `then`, stops it with SIGTERM, and expects that it ends with exit code 0. */
export async function whileServing({ file, args, cwd, env }: Served, then: (url: string, pid: number) => Promise<void>): Promise<void> {
  const child = spawn(file, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (said += text));
  const ended = once(child, 'close');
  const address = (): string | undefined => /rosterd listens on (https?:\/\/\S+)/.exec(said)?.[1];
  try {
    await eventually(
      () => address() !== undefined || child.exitCode !== null,
      () => `no greeting: ${said}`,
    );
    const url = address();
    assert.ok(url !== undefined, `it ended with ${child.exitCode}: ${said}`);
    assert.equal((await fetch(`${url}/readyz`)).status, 200);
    await then(url, child.pid ?? 0);
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX);
    const [code, signal] = await ended;
    clearTimeout(timer);
    // npx is ended by the signal itself, and the daemon notices that it is gone.
    assert.ok(code === 0 || (file === 'npx' && signal === 'SIGTERM'), `it ended with ${code ?? signal}: ${said}`);
    const isGone = () =>
      fetch(`${url}/healthz`).then(
        () => false,
        () => true,
      );
    await eventually(isGone, 'it goes on after its stop', STOP_MS_MAX);
  } finally {
    if (child.exitCode === null) child.kill('SIGKILL');
  }
}

/** A temporary folder, while `then` uses it. */
export async function inFolder<T>(then: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'rosterd-packages-'));
  try {
    return await then(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The results of a run, told one by one. */
export class Results {
  failed = 0;
  skipped = 0;

  /** `act` resolves with what it saw. Nothing rejects, and false says that it failed. */
  async check(name: string, act: () => Promise<string>): Promise<boolean> {
    const startedMs = performance.now();
    try {
      const seen = await act();
      say(`ok ${name}: ${seen} (${((performance.now() - startedMs) / 1_000).toFixed(1)} s)`);
      return true;
    } catch (error) {
      this.failed++;
      say(`not ok ${name}: ${error instanceof Error ? error.message : error}`);
      return false;
    }
  }

  skip(name: string, reason: string): void {
    this.skipped++;
    say(`SKIPPED: ${name.toUpperCase()} WAS NOT TRIED, ${reason}`);
  }
}

/** `1.2 MB`. */
export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(bytes < 1e6 ? 3 : 1)} MB`;
}
