/**
 * Adds what an import brings beside users: devices, mutes and push settings. Each is a command that changes nothing when it is sent again,
 * so an interrupted import may add them twice.
 *
 * It keeps IM15 (daemon/RULES.md).
 */
import { RosterError } from '../../../protocol/base/errors.ts';
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
    const isKept = keepsBefore !== undefined && user?.devices?.some((held) => held.id === device.device.id) === true;
    if (isKept || (await submit(device)) !== undefined) counts.devices++;
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
