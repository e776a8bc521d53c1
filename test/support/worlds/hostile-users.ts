/** Users as an attacker, an odd client or another version would have them stored: everything that the form of records may stumble over. */
import type { Tombstone } from '../../../daemon/core/directory/record.ts';
import type { StoredUser } from '../../../protocol/users/user.ts';

export const TEXTS = [
  ...['', 'Ann', 'ann lee', 'Lee-Ann', 'Çağla', 'a"b', 'x\\', '\ud800', '\udfff\ud800', '\uffff', '\u{1f600}', '李\n', '\u0000', 'İ'],
  ...['e\u0301\u0327', '\u2028', '__proto__', 'x'.repeat(47), 'é'.repeat(600), '%', "'"],
];
const KEYS = [
  'a',
  'b',
  'a.b',
  'custom.a',
  'b.c',
  'toString',
  'constructor',
  '__proto__',
  '10',
  '9',
  '-0',
  '',
  'é"',
  '\ud800',
  'toJSON',
  'id',
];
export const PATHS = ['a', 'b', 'a.b', 'a.b.c', 'custom.a', 'custom.a.b', 'b.c', 'toString', '10', 'é"', 'none', 'k5'];
const NUMBERS = [0, -0, 7, -7, 1.5, 1e308, 5e-324, 2 ** 53 + 2, 123_456_789_012_345, 1_234_567_890_123_456, 1e21, -1e-7];

export class HostileUsers {
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  below(count: number): number {
    return Math.floor(this.#random() * count);
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)] as T;
  }

  chance(share: number): boolean {
    return this.#random() < share;
  }

  #json(depth: number): unknown {
    const kind = this.below(depth > 0 ? 7 : 4);
    if (kind === 0) return this.pick(TEXTS);
    if (kind === 1) return this.pick(NUMBERS);
    if (kind === 2) return this.pick([true, false, null]);
    if (kind === 3) return this.pick(['a', 7]);
    if (kind === 4) return Array.from({ length: this.below(4) }, () => this.#json(depth - 1));
    return this.#object(depth - 1, this.below(4));
  }

  #object(depth: number, keys: number): object {
    // JSON.parse makes a key of `__proto__`, too.
    const entries = Array.from({ length: keys }, () => `${JSON.stringify(this.pick(KEYS))}:${JSON.stringify(this.#json(depth))}`);
    return JSON.parse(`{${entries.join(',')}}`) as object;
  }

  #custom(): object {
    if (this.chance(0.03)) return { many: Object.fromEntries(Array.from({ length: 9 }, (_, at) => [`m${at}`, at])), ...this.#keys(140) };
    if (this.chance(0.02)) return { a: this.pick(TEXTS), long: 'é'.repeat(33_000), b: { c: 7 } };
    if (this.chance(0.1)) return this.#keys(this.below(9));
    return this.#object(3, this.below(5));
  }

  #keys(count: number): object {
    return Object.fromEntries(Array.from({ length: count }, (_, at) => [`k${this.below(40) + at}`, this.#json(1)]));
  }

  /** The record, as JSON keeps it: a user of any state, or a tombstone. */
  record(id: string, rev: number): StoredUser | Tombstone {
    const time = (): number => this.pick([0, 1, 2, 3, rev, 1_700_000_000_000_000, 8.64e18, -1]);
    const bans = [
      { created_at: 1, shadow: this.chance(0.5) },
      { created_at: 1, cid: 'c' },
    ].filter(() => this.chance(0.6));
    if (this.chance(0.04)) return JSON.parse(JSON.stringify({ id, gone_at: rev, ...(this.chance(0.5) ? { bans } : {}) })) as Tombstone;
    const optional: Record<string, unknown> = {
      ...{ name: this.pick(TEXTS), image: this.pick(TEXTS), language: this.pick(['', 'en']), sent: 'abc', last_active: time() },
      ...{ deactivated_at: time(), deactivated_by_sync: true, invisible: this.chance(0.5), teams_role: { red: 'admin' }, bans },
      ...{ mutes: [{ id: 'x', created_at: 1, updated_at: 1, expires: 99 }], devices: [{ id: 'd', push_provider: 'apn', created_at: 1 }] },
      ...{ flags: [{ item_id: 'i', by: this.pick(['', 'x']), created_at: 1 }], privacy_settings: {}, field_of_a_later_version: [{ x: 1 }] },
    };
    const own = Object.entries(optional).filter(() => this.chance(0.3));
    if (this.chance(0.05)) own.push(['deleted_at', time()], ['deleted', 'soft']);
    const always = Object.entries({
      ...{ id, rev, role: this.pick(['user', 'admin', '', `role-${this.below(50)}`, 'x'.repeat(300)]), custom: this.#custom() },
      ...{
        teams: this.pick([
          [],
          ['red'],
          ['red', 'blue'],
          ['blue', 'blue'],
          ['a\nb'],
          ['a', 'b'],
          [''],
          [`t${this.below(99)}`, 'x'.repeat(270)],
        ]),
      },
      ...{ created_at: time(), updated_at: time() },
    });
    const entries = this.chance(0.5) ? [...always, ...own] : [...own, ...always];
    return JSON.parse(JSON.stringify(Object.fromEntries(entries))) as StoredUser;
  }
}
