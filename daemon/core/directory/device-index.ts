/** The living users that have a device, so that a device given to another user is taken from the first. Pure. */
import type { StoredUser } from '../../../protocol/users/user.ts';
import { Multimap } from './multimap.ts';

export class DeviceIndex {
  readonly #holders = new Multimap<string>();

  holders(deviceId: string): Iterable<string> {
    return this.#holders.get(deviceId);
  }

  /** `before` and `after` are the living user, or undefined. */
  changed(before: StoredUser | undefined, after: StoredUser | undefined): void {
    if (before?.devices === after?.devices) return;
    for (const device of before?.devices ?? []) this.#holders.remove(device.id, before?.id ?? '');
    for (const device of after?.devices ?? []) this.#holders.add(device.id, after?.id ?? '');
  }
}
