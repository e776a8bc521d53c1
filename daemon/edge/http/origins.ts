/** Which web pages may talk to the daemon: the allow-list for the `Origin` header, which browsers send and scripts cannot forge. */

/**
 * A caller without an `Origin` is no browser and is judged by its token alone. A browser's page is allowed when it came from
 * this very host, when its origin is in the list, or when the list holds `*`.
 */
export function isAllowedOrigin(origin: string | undefined, host: string | undefined, allowed: readonly string[]): boolean {
  if (origin === undefined || allowed.includes('*') || allowed.includes(origin)) return true;
  return URL.canParse(origin) && new URL(origin).host === host;
}
