/** The folder of a cluster, and the guard that leaves nothing behind even when the command itself is killed. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { errorText } from '../../../protocol/base/errors.ts';
import type { Owner } from './programs.ts';
import { ClusterFailed } from './trouble.ts';

/** It may hold nothing yet, because the databases of an earlier cluster may each be the newer one. Throws ClusterFailed. */
export async function openFolder(wanted: string | undefined, owner: Owner | undefined): Promise<string> {
  const folder = wanted ?? (await mkdtemp(join(tmpdir(), 'rosterd-cluster-')));
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const found = await readdir(folder);
    if (found.length > 0)
      throw new ClusterFailed(`${folder} is in use: it holds ${found.slice(0, 3).join(', ')}. Name a new or an empty folder with --data`);
    if (owner !== undefined) await chown(folder, owner.uid, owner.gid);
    return folder;
  } catch (error) {
    if (error instanceof ClusterFailed) throw error;
    throw new ClusterFailed(`${folder} cannot be used: ${errorText(error)}`);
  }
}

/** Reads what to do from its stdin. Its end without `done` means that the command is gone. */
const WATCH = `
pids=' '
while read -r what pid; do
  case $what in
    add) pids="$pids$pid " ;;
    gone) case "$pids" in *" $pid "*) pids="\${pids%% $pid *} \${pids#* $pid }" ;; esac ;;
    done) exit 0 ;;
  esac
done
for pid in $pids; do kill -9 "$pid"; done
sleep 1
[ -z "$1" ] || rm -rf "$1"
`;

export class Guard {
  readonly #child: ChildProcess;

  /** `temporary`: the folder to remove after a sudden end. */
  constructor(temporary: string | undefined) {
    this.#child = spawn('/bin/sh', ['-c', WATCH, 'rosterd-cluster-guard', temporary ?? ''], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    });
    // Without a shell nobody guards, and everything else works.
    this.#child.on('error', () => {});
    this.#child.stdin?.on('error', () => {});
  }

  add(pid: number): void {
    this.#child.stdin?.write(`add ${pid}\n`);
  }

  gone(pid: number): void {
    this.#child.stdin?.write(`gone ${pid}\n`);
  }

  /** Everything ended in order. */
  async done(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.pid === undefined) return;
    const ended = once(this.#child, 'exit');
    this.#child.stdin?.end('done\n');
    await ended;
  }
}

export async function removeFolder(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true, maxRetries: 3 });
}
