/** Backups made in memory for tests: a small directory with one line of every kind, and the bytes of its backup. */
import { type CommandHooks, runCli } from '../../../daemon/cli/commands.ts';
import { encodeBackup } from '../../../store/backup/codec.ts';
import type { SnapshotSource } from '../../../store/snapshot.ts';
import { fakeIo } from '../sync/fake-server.ts';
import { API_KEY, API_SECRET } from '../world.ts';

export const CREATED_AT = '2026-11-21T12:00:00.000Z';
const TIME = 1_795_262_400_000_000;

export function storedUser(id: string, rev: number, more: object = {}): object {
  return {
    id,
    rev,
    name: `Name of ${id} é`,
    role: 'user',
    teams: ['red'],
    custom: { n: rev },
    created_at: TIME,
    updated_at: TIME,
    ...more,
  };
}

/** One line of every kind. */
export function someLines(users = 3): object[] {
  return [
    { state: { time: TIME, app: { enforce_unique_usernames: 'no' }, app_seq: 0, entries: ['e1'] } },
    { usage: { period: '2026-11', users: 1, guests: 0, teams: { red: 1 } } },
    { doc: { kind: 'role', id: 'driver', doc: { name: 'driver', created_at: TIME, updated_at: TIME } } },
    ...Array.from({ length: users }, (_, index) => ({ user: storedUser(`user-${index}`, index + 1) })),
    { user: storedUser('was-here', 90, { deleted_at: TIME, deleted: 'soft' }) },
    { gone: { id: 'burned', gone_at: TIME } },
  ];
}

export function sourceOf(lines: readonly object[], seq = 100): SnapshotSource {
  return { position: { epoch: 'epoch-a', seq }, lines: () => lines };
}

export async function backupOf(lines: readonly object[], seq = 100): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of encodeBackup(sourceOf(lines, seq), CREATED_AT)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** In pieces of `size` bytes. */
export async function* pieces(bytes: Uint8Array, size = bytes.length): AsyncGenerator<Uint8Array, void, undefined> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

export interface RanCommand {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs one command line in `cwd` with the credentials of the test world. */
export async function command(cwd: string, args: readonly string[], env: Record<string, string> = {}): Promise<RanCommand> {
  const io = fakeIo({ cwd, env: { ROSTERD_API_KEY: API_KEY, ROSTERD_API_SECRET: API_SECRET, ...env }, nowMs: Date.now() });
  const hooks: CommandHooks = { serve: async () => 0 };
  const code = await runCli(args, io, hooks);
  return { code, out: io.stdout.text, err: io.stderr.text };
}
