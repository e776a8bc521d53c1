/**
 * Adds what an import brings beside users: devices, mutes and push settings. Each is a command that changes nothing when it is sent again,
 * so an interrupted import may add them twice.
 *
 * It keeps IM15 (daemon/RULES.md).
 */
import { RosterError } from '../../../protocol/base/errors.ts';
import { LIMITS } from '../../../protocol/base/limits.ts';
import type { Micros } from '../../../protocol/base/time.ts';
import type { Command, Outcome } from '../../../protocol/log/command.ts';
import type { StoredUser } from '../../../protocol/users/user.ts';
import type { Roster } from '../../pipeline/roster.ts';
import type { RowError } from '../../sync/rows.ts';
import type { ImportItem } from './import-item.ts';

export interface ExtrasOptions {
  readonly roster: Pick<Roster, 'directory' | 'submit'>;
  /** The import. */
  readonly job: string;
  /** Set for an import that leaves existing users alone: users from before this time are such. */
  readonly keepsBefore?: Micros;
  /** Called for everything that the directory refuses. */
  readonly onError: (error: RowError) => void;
}

/** Things that are in the directory now, added or there before. */
export interface ExtrasCounts {
  readonly devices: number;
  readonly mutes: number;
  readonly push_notifications: number;
}

/** Adds the extras of these items. Those of one user follow one another: whether there is room depends on what it has by then. Rejects as `addExtras`. */
export async function addAllExtras(items: readonly ImportItem[], options: ExtrasOptions): Promise<readonly ExtrasCounts[]> {
  const byUser = new Map<string, ImportItem[]>();
  for (const item of items) {
    const own = byUser.get(item.userId);
    if (own === undefined) byUser.set(item.userId, [item]);
    else own.push(item);
  }
  const inTurn = async (own: readonly ImportItem[]): Promise<readonly ExtrasCounts[]> => {
    const counts: ExtrasCounts[] = [];
    for (const item of own) counts.push(await addExtras(item, options));
    return counts;
  };
  return (await Promise.all([...byUser.values()].map(inTurn))).flat();
}

/** Adds the extras of one item. Rejects with RosterError when the directory cannot store anything at the moment. */
export async function addExtras(item: ImportItem, { roster, job, keepsBefore, onError }: ExtrasOptions): Promise<ExtrasCounts> {
  const { line, id, userId, extras = {} } = item;
  const user = roster.directory.user(userId);
  const { device, mutes = [], push } = extras;
  const counts = { devices: 0, mutes: 0, push_notifications: 0 };
  const refuse = (reason: string, code: RowError['code'] = 4) => onError({ line, id, code, reason });
  const submit = async (command: Command): Promise<Outcome | undefined> => {
    try {
      return await roster.submit(command, 'bulk', { source: 'import', job });
    } catch (error) {
      if (!(error instanceof RosterError) || error.spec.status >= 500) throw error;
      refuse(error.message, error.spec.code);
      return undefined;
    }
  };
  if (device !== undefined) {
    const held = user?.devices ?? [];
    const isHeld = held.some(({ id: heldId }) => heldId === device.device.id);
    // One more would drop the oldest, which the same import may have brought.
    if (!isHeld && held.length >= LIMITS.devicesPerUser)
      refuse(`device: the user ${userId} has ${held.length} devices, and no more are held`);
    else if ((isHeld && keepsBefore !== undefined) || (await submit(device)) !== undefined) counts.devices++;
  }
  // A user that is not there was refused itself, and one that is left alone is left alone in everything.
  if (user === undefined || isLeftAlone(user, keepsBefore)) return counts;
  const muted = new Set(user.mutes?.map((mute) => mute.id));
  const targets = mutes.filter((target) => !muted.has(target));
  const missing = targets.filter((target) => roster.directory.user(target) === undefined);
  for (const target of missing) refuse(`user_mutes: the user ${target} does not exist`, 16);
  const present = targets.filter((target) => !missing.includes(target));
  const isMuted =
    present.length === 0 || (await submit({ kind: 'mute', actor: { kind: 'server' }, by: userId, targets: present })) !== undefined;
  if (isMuted) counts.mutes += mutes.length - missing.length;
  if (push !== undefined && (await submit(push)) !== undefined) counts.push_notifications++;
  return counts;
}

function isLeftAlone({ created_at }: StoredUser, keepsBefore: Micros | undefined): boolean {
  return keepsBefore !== undefined && created_at < keepsBefore;
}
