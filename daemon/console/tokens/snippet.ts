/** Choices for a token, and the code that uses one. Pure. */
import type { ApiCall } from '../talk/api-call.ts';

/** Lifetimes that are offered: the value of the choice and its text. */
export const LIFETIMES = [
  ['900', '15 minutes'],
  ['86400', '1 day'],
  ['2592000', '30 days'],
  ['never', 'no end'],
] as const;
export type Lifetime = (typeof LIFETIMES)[number][0];

export function tokenCall(userId: string, lifetime: string): ApiCall {
  const lifetime_s = lifetime === 'never' ? 'never' : Number(lifetime);
  return { method: 'POST', path: '/api/v2/user_tokens', body: { user_id: userId.trim(), lifetime_s } };
}

/** The command that makes the same token without asking the daemon. */
export function tokenCommand(userId: string, lifetime: string): string {
  const exp = lifetime === 'never' ? 'never' : `${lifetime}s`;
  return `npx rosterd token ${userId.trim()} --exp ${exp}`;
}

/** A program that connects with the token. `address`: of the daemon. */
export function connectSnippet(address: string, apiKey: string, userId: string, token: string): string {
  const text = JSON.stringify;
  return [
    `import { RosterClient } from 'rosterd/client';`,
    ``,
    `const client = new RosterClient({ url: ${text(address)}, apiKey: ${text(apiKey)} });`,
    `await client.connectUser({ id: ${text(userId)} }, ${text(token)});`,
    `client.on('user.updated', ({ user }) => console.log(user.name));`,
  ].join('\n');
}
