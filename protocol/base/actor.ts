/** The party for whom a command acts. Pure. */

/** A server may act for anyone; a user only for itself. */
export type Actor = { readonly kind: 'server' } | { readonly kind: 'user'; readonly id: string };
