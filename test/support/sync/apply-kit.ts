/** A world to reconcile: a real daemon, files of users beside it, and the commands as an operator calls them. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { runCli } from '../../../daemon/cli/commands.ts';
import { DirectoryCopy } from '../live/copy.ts';
import type { Frame } from '../live/received.ts';
import { API_KEY, API_SECRET, serverToken, World, type WorldOptions } from '../world.ts';
import { fakeIo } from './fake-server.ts';

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** What `--json` printed. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into it, and asserting on a wrong one fails them all the same
  readonly json: any;
}

export interface Running {
  readonly done: Promise<Ran>;
  /** Presses Ctrl-C. */
  interrupt(): void;
}

export type SourceUser = { readonly id: string } & Readonly<Record<string, unknown>>;

export class ApplyWorld {
  readonly world: World;
  readonly folder: string;

  private constructor(world: World, folder: string) {
    this.world = world;
    this.folder = folder;
  }

  static async start(t: TestContext, options: WorldOptions = {}): Promise<ApplyWorld> {
    const folder = mkdtempSync(join(tmpdir(), 'rosterd-apply-'));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    return new ApplyWorld(await World.start(t, options), folder);
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  exists(name: string): boolean {
    return existsSync(this.path(name));
  }

  text(name: string): string {
    return readFileSync(this.path(name), 'utf8');
  }

  /** The lines of a file of JSON lines. */
  // biome-ignore lint/suspicious/noExplicitAny: as above
  lines(name: string): any[] {
    return this.text(name)
      .trimEnd()
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line));
  }

  write(name: string, users: readonly SourceUser[]): void {
    writeFileSync(this.path(name), users.map((user) => `${JSON.stringify(user)}\n`).join(''));
  }

  begin(...args: readonly string[]): Running {
    return beginSync(this.folder, this.world.daemon.url, args);
  }

  run(...args: readonly string[]): Promise<Ran> {
    return this.begin(...args).done;
  }

  /** Plans `users` into `plan.ndjson`. */
  async plan(users: readonly SourceUser[], ...args: readonly string[]): Promise<void> {
    this.write('users.ndjson', users);
    const planned = await this.run('plan', 'users.ndjson', '--out', 'plan.ndjson', '--json', ...args);
    assert.ok([0, 2].includes(planned.code), planned.stderr);
  }

  /** Everybody in the directory, as a subscriber with a server token has them. */
  async users(): Promise<ReadonlyMap<string, Frame>> {
    const copy = new DirectoryCopy(() => this.world.liveUrl, { api_key: API_KEY, token: serverToken() });
    await copy.connect();
    copy.cut();
    return copy.users;
  }

  async seq(): Promise<number> {
    return (await this.world.http('GET', '/sync/position')).body.seq;
  }
}

/** Runs `rosterd sync` in a folder, in this process. */
export function beginSync(cwd: string, daemonUrl: string, args: readonly string[]): Running {
  const io = fakeIo({ cwd, env: { ROSTERD_API_KEY: API_KEY, ROSTERD_API_SECRET: API_SECRET } });
  const url = args.includes('--url') ? [] : ['--url', daemonUrl];
  const hooks = { serve: () => assert.fail('serve was called') };
  const done = runCli(['sync', ...args, ...url], io, hooks).then((code) => {
    const { stdout, stderr } = { stdout: io.stdout.text, stderr: io.stderr.text };
    return { code, stdout, stderr, json: stdout.startsWith('{') ? JSON.parse(stdout) : undefined };
  });
  return { done, interrupt: () => io.interrupt() };
}

/** What a user holds, without what only tells when it was written. */
export function contentOf({ rev: _rev, created_at: _created, updated_at: _updated, online: _online, ...content }: Frame): Frame {
  return content;
}

/** Everybody in both sums of `--json`: the counts are of the whole plan. */
export function accounted(json: Readonly<Record<string, number>>): number {
  const names = [
    'created',
    'updated',
    'reactivated',
    'restored',
    'deactivated',
    'soft_deleted',
    'hard_deleted',
    'unchanged',
    'sent',
    'changed_meanwhile',
    'failed',
  ];
  return [...names, 'held_back', 'left'].reduce((sum, name) => sum + (json[name] ?? 0), 0);
}
