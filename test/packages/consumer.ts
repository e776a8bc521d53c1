/** The programs that use the installed npm package, as the files of a project of their own. */

/** Plain ESM on Node: both entries, and what they export at run time. */
export const PLAIN = `
import assert from 'node:assert/strict';
import { encodeToken, ERRORS, LIMITS } from 'rosterd';
import { RosterClient, RosterClientError, apiSecret, connect, digest } from 'rosterd/client';
assert.equal(typeof encodeToken, 'function');
assert.ok(Object.keys(ERRORS).length > 10 && Object.keys(LIMITS).length > 10);
for (const made of [RosterClient, RosterClientError, apiSecret, connect, digest]) assert.equal(typeof made, 'function');
const client = new RosterClient({ url: process.argv[2], apiKey: process.argv[3], secret: apiSecret(process.argv[4]) });
await client.upsertUsers([{ id: 'ann', name: 'Ann' }]);
const { users } = await client.queryUsers({ name: 'Ann' });
assert.deepEqual(users.map(({ id }) => id), ['ann']);
console.log('ann was written and found');
`;

/** A page: what a bundler has to be able to bundle without Node. */
export const PAGE = `
import { RosterClient } from 'rosterd/client';
globalThis.client = new RosterClient({ url: location.origin, apiKey: 'key' });
`;

/** A strict project: its types come out right, and a wrong call is an error. */
export const TYPED = `
import { encodeToken, type FieldError, type Position } from 'rosterd';
import { apiSecret, RosterClient, type LiveUser, type RosterClientOptions, type UserEvent } from 'rosterd/client';

const options: RosterClientOptions = { url: 'https://users.example.com', apiKey: 'key', secret: apiSecret('secret') };
const client = new RosterClient(options);
client.on('user.updated', ({ user }: UserEvent) => {
  const name: string | undefined = user.name;
  console.log(name);
});
export async function find(): Promise<readonly string[]> {
  const { users } = await client.queryUsers({ name: { $autocomplete: 'bo' } }, { name: 1 });
  return users.map(({ id }) => id);
}
export function seqOf(position: Position): number {
  return position.seq;
}
export type Both = [FieldError, LiveUser];
export const encode: typeof encodeToken = encodeToken;
// @ts-expect-error a user has an id
client.upsertUsers([{ name: 'Ann' }]);
// @ts-expect-error there is no such event
client.on('user.upset', () => {});
`;

/** The settings of a strict project that checks the types of its packages as well. */
export function tsconfig(module: string, moduleResolution: string): string {
  const strict = { strict: true, skipLibCheck: false, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true };
  const options = { ...strict, target: 'ES2022', lib: ['ES2022', 'DOM'], types: [], module, moduleResolution, noEmit: true };
  return JSON.stringify({ compilerOptions: options, files: ['typed.ts'] });
}

/** Each module system that can load the package, with its way of finding packages. */
export const MODULES = [
  ['node16', 'node16'],
  ['nodenext', 'nodenext'],
  ['esnext', 'bundler'],
] as const;
