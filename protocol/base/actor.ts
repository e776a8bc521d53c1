/** The party for whom a command acts. Pure. */

/** A server may act for anyone; a user only for itself. */
export type Actor = { readonly kind: 'server' } | { readonly kind: 'user'; readonly id: string };

/** Whether a client names somebody else. A server may name anyone. */
export function isForeign(actor: Actor, id: string): boolean {
  return actor.kind === 'user' && actor.id !== id;
}
