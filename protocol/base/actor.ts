/** Who asks for something. Pure. */

/** Who asks. A server may act for anyone; a user only for itself. */
export type Actor = { readonly kind: 'server' } | { readonly kind: 'user'; readonly id: string };
