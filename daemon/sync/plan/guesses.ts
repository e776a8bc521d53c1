/** Guesses from the names of columns which fields they fill. A person looks at them before anything is planned. Pure. */

/** Names that columns have elsewhere, in small letters and without separators. The first column with one of them is taken. */
const NAMES: Readonly<Record<string, readonly string[]>> = {
  id: ['id', 'userid', 'uid', 'login', 'username', 'employeeid', 'employeeno', 'employeenumber', 'externalid', 'key'],
  name: ['name', 'fullname', 'displayname', 'realname'],
  image: ['image', 'imageurl', 'avatar', 'avatarurl', 'picture', 'photo', 'photourl'],
  role: ['role'],
  language: ['language', 'lang', 'locale'],
  teams: ['teams', 'team', 'groups'],
  'custom.email': ['email', 'emailaddress', 'mail'],
};

/** Fields by column; a column that is taken for nothing becomes custom data of its own name, where that is possible. */
export function guessedMap(columns: readonly string[]): Readonly<Record<string, string>> {
  const map: Record<string, string> = {};
  const taken = new Set<string>();
  for (const [field, names] of Object.entries(NAMES)) {
    const column = names.map((name) => columns.find((one) => !taken.has(one) && plain(one) === name)).find((one) => one !== undefined);
    if (column === undefined) continue;
    map[field] = column;
    taken.add(column);
  }
  for (const column of columns) {
    const field = `custom.${column}`;
    if (!taken.has(column) && /^[\p{L}_][\p{L}\p{N}_-]{0,63}$/u.test(column) && !Object.hasOwn(map, field)) map[field] = column;
  }
  return map;
}

function plain(column: string): string {
  return column.toLowerCase().replaceAll(/[^\p{L}\p{N}]/gu, '');
}
