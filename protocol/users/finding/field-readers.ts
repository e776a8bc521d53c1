/** How filters and sorts read the fields of a user, in whatever form it is kept. Pure. */
import type { Json } from '../../base/json.ts';
import { customReader } from '../custom-path.ts';
import { appBan, type StoredUser } from '../user.ts';
import type { FieldRef } from './filter.ts';

/** All fields but the teams, which are a set. */
export type ValueField = Exclude<FieldRef, { kind: 'teams' }>;

/** Undefined when the field is absent. `online` says whether the user has a visible live connection. */
export type FieldReader<User> = (user: User, online: boolean) => Json | undefined;

/** What a search did: it ends at the first word that is not found. Valid until the next search. */
export interface Searched {
  readonly isFound: boolean;
  readonly looked: number;
  /** See `searchedUnits`. */
  readonly units: number;
}

export interface FieldReaders<User> {
  value(field: ValueField): FieldReader<User>;
  /** How a field compares with a text: below 0, 0, or above 0; undefined where it is no text. Undefined where reading it tells as soon. */
  order?(field: ValueField, wanted: string): ((user: User) => number | undefined) | undefined;
  /** Looks for words, each of which is folded, like `wordPrefix`; undefined where the text must be read. Undefined where it always must. */
  search?(field: ValueField, words: readonly string[]): ((user: User) => Searched | undefined) | undefined;
  readonly teams: (user: User) => readonly string[];
  /** A test of a user by its teams; the same teams always pass, or never. */
  byTeams(holds: (teams: readonly string[]) => boolean): (user: User) => boolean;
  /** Whether a field equals a text, a number or a boolean. Undefined where reading it tells as soon. */
  equals?(field: ValueField, wanted: string | number | boolean): ((user: User) => boolean) | undefined;
}

function hasBan(user: StoredUser, isShadow: boolean): boolean {
  const ban = appBan(user);
  return ban !== undefined && (ban.shadow === true) === isShadow;
}

/** The fields of users as objects. */
export const USER_FIELDS: FieldReaders<StoredUser> = {
  value(field) {
    switch (field.kind) {
      case 'string':
      case 'time': {
        const { name } = field;
        return (user) => user[name];
      }
      case 'boolean':
        if (field.name === 'online') return (_, online) => online;
        if (field.name === 'invisible') return (user) => user.invisible ?? false;
        // A ban for the whole application: visible to everyone, or to servers only.
        return field.name === 'banned' ? (user) => hasBan(user, false) : (user) => hasBan(user, true);
      case 'custom': {
        const read = customReader(field.path);
        // Custom data is JSON, and so is every value in it.
        return ({ custom }) => read(custom) as Json | undefined;
      }
    }
  },
  teams: ({ teams }) => teams,
  byTeams: (holds) => (user) => holds(user.teams),
};
