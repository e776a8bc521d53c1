/** Makes the ids of activities, and the times of activities that are sent without one. */
import { createHash, randomBytes, randomInt } from 'node:crypto';
import type { Micros } from '../../../protocol/base/time.ts';
import { timeUuid } from '../../../protocol/feeds/time-uuid.ts';

/** Numbers that the 14 bits beside the time can hold. */
const SEQUENCES = 0x4000;

export class ActivityIds {
  #latest: Micros = 0;
  #sequence = randomInt(SEQUENCES);

  /** The current time, later than every result before: activities keep their order of arrival. */
  nextTime(nowMs: number): Micros {
    this.#latest = Math.max(Math.floor(nowMs * 1000), this.#latest + 1);
    return this.#latest;
  }

  /**
   * The id of an activity with this time. A foreign id and a time identify one activity, so they always give the same id. Without a foreign
   * id the result is new, and above earlier ids for the same time.
   */
  make(time: Micros, foreignId: string | undefined): string {
    if (foreignId !== undefined) return foreignActivityId(time, foreignId);
    this.#sequence = (this.#sequence + 1) % SEQUENCES;
    return timeUuid(time, this.#sequence, randomBytes(6));
  }
}

export function foreignActivityId(time: Micros, foreignId: string): string {
  const hash = createHash('sha256').update(foreignId).digest();
  return timeUuid(time, hash.readUInt16BE(0), hash.subarray(2, 8));
}
