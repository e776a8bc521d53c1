/** Another commit, built in a folder of its own, to be measured beside this one. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '../../..');

export interface OtherBuild {
  /** The built program. */
  readonly main: string;
  remove(): void;
}

/** Throws when there is no such commit, or when it does not build. */
export function buildOf(commit: string): OtherBuild {
  const folder = mkdtempSync(join(tmpdir(), 'rosterd-bench-build-'));
  const remove = (): void => {
    spawnSync('git', ['worktree', 'remove', '--force', folder], { cwd: ROOT });
    rmSync(folder, { recursive: true, force: true });
    spawnSync('git', ['worktree', 'prune'], { cwd: ROOT });
  };
  try {
    run(ROOT, 'git', 'worktree', 'add', '--detach', folder, commit);
    if (lockFile(folder) === lockFile(ROOT)) symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
    else run(folder, 'npm', 'ci', '--ignore-scripts', '--no-audit', '--no-fund');
    run(folder, 'npm', 'run', '--silent', 'build');
    return { main: join(folder, 'dist/daemon/main.js'), remove };
  } catch (error) {
    remove();
    throw error;
  }
}

/** Packages decide how a build performs, too. */
function lockFile(folder: string): string {
  return readFileSync(join(folder, 'package-lock.json'), 'utf8');
}

function run(cwd: string, program: string, ...args: readonly string[]): void {
  const { status, stderr } = spawnSync(program, args, { cwd, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${status}: ${stderr}`);
}
