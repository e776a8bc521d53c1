/** The working tree as somebody sees it who has just cloned it, in a folder of its own, and the commands that are typed there. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { eventually } from './eventually.ts';

const ROOT = resolve(import.meta.dirname, '../..');
/** What npm hands to its scripts is about this tree, and would lead the npm of the clone back to it. */
const ABOUT_THIS_TREE = /^(npm_(?!config_(registry|cache|userconfig)$)|ROSTERD_|NODE_TEST|INIT_CWD$)/i;

export interface Typed {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command that runs in the clone, with everything it has started in one process group. */
export class Typing {
  readonly child: ChildProcess;
  readonly finished: Promise<Typed>;
  stdout = '';
  stderr = '';

  constructor(command: string, cwd: string, env: NodeJS.ProcessEnv) {
    this.child = spawn(command, { cwd, env, shell: true, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
    });
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    // The end of the process, and not of its pipes: what it leaves behind holds those.
    this.finished = once(this.child, 'exit').then(([code]) => ({ code, stdout: this.stdout, stderr: this.stderr }));
  }

  /** Resolves with what it said of this, on either stream. */
  async says(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const found = pattern.exec(this.stdout) ?? pattern.exec(this.stderr);
      if (found !== null) return found;
      const heard = [this.child.stdout, this.child.stderr].map((stream) => once(stream ?? this.child, 'data').then(() => undefined));
      const ended = await Promise.race([...heard, this.finished]);
      if (ended !== undefined && !pattern.test(this.stdout + this.stderr))
        throw new Error(`ended with ${ended.code} before it said ${pattern}:\n${ended.stdout}${ended.stderr}`);
    }
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** Waits until everything of the group is gone. */
  gone(): Promise<void> {
    return eventually(() => this.isGone, 'something is left behind');
  }

  /** Whether nothing of the group is left. */
  get isGone(): boolean {
    // It was never started. Its number would stand for the group of this process.
    if (this.child.pid === undefined) return true;
    try {
      process.kill(-this.pid, 0);
      return false;
    } catch {
      return true;
    }
  }

  /** Sends a signal to everything it has started, if there is anything left. */
  killAll(signal: NodeJS.Signals): void {
    if (!this.isGone) process.kill(-this.pid, signal);
  }
}

export class Clone {
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;

  private constructor(folder: string, env: NodeJS.ProcessEnv) {
    this.folder = folder;
    this.env = env;
  }

  /** Copies every file that is tracked, or new and not ignored. Removed at the end of the test. */
  static async make(t: { after(then: () => Promise<void>): void }): Promise<Clone> {
    const outside = await mkdtemp(join(tmpdir(), 'rosterd-clone-'));
    t.after(() => rm(outside, { recursive: true, force: true, maxRetries: 3 }));
    const folder = join(outside, 'rosterd');
    const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: ROOT, encoding: 'utf8' });
    const wanted = new Set(listed.split('\0'));
    const folders = new Set([...wanted].flatMap((file) => file.split('/').map((_, at, parts) => parts.slice(0, at).join('/'))));
    await cp(ROOT, folder, {
      recursive: true,
      filter: (path) => {
        const file = path.slice(ROOT.length + 1).replaceAll('\\', '/');
        return wanted.has(file) || folders.has(file);
      },
    });
    const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => !ABOUT_THIS_TREE.test(name)));
    return new Clone(folder, { ...inherited, npm_config_update_notifier: 'false', npm_config_prefer_offline: 'true' });
  }

  /** The same clone with other settings. */
  with(env: Readonly<Record<string, string>>): Clone {
    return new Clone(this.folder, { ...this.env, ...env });
  }

  /** In place of `npm ci`: the packages of this tree, and what npm does after it has installed them. */
  async borrowPackages(): Promise<Typed> {
    await symlink(join(ROOT, 'node_modules'), join(this.folder, 'node_modules'), 'junction');
    return await this.type('npm run prepare').finished;
  }

  type(command: string): Typing {
    // What npx remembers of this clone goes with it.
    const env = /\bnpx\b/.test(command) ? { ...this.env, npm_config_cache: join(this.folder, '../npx') } : this.env;
    return new Typing(command, this.folder, env);
  }
}
