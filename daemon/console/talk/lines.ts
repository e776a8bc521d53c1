/** Commands that do the same as the console: shown beside every action, to be copied. They hold no secret. Pure. */
import type { ApiCall } from './api-call.ts';

/** For `curl`, with the token in `$ROSTERD_TOKEN`. `address`: of the daemon. */
export function curlLine(address: string, apiKey: string, { method, path, body, ifRev }: ApiCall): string {
  const url = `${address}${path}${path.includes('?') ? '&' : '?'}api_key=${encodeURIComponent(apiKey)}`;
  return [
    `curl -X ${method} ${quoted(url)}`,
    `-H "Authorization: $ROSTERD_TOKEN"`,
    `-H 'Stream-Auth-Type: jwt'`,
    ...(ifRev === undefined ? [] : [`-H 'If-Match: "${ifRev}"'`]),
    ...(body === undefined ? [] : [`-H 'Content-Type: application/json'`, `-d ${quoted(JSON.stringify(body))}`]),
  ].join(' ');
}

/** For `rosterd call`, which finds the token by itself. A condition is not part of it. */
export function rosterdLine(address: string, { method, path, body }: ApiCall): string {
  const words = ['npx rosterd call', method, quoted(path), ...(body === undefined ? [] : [quoted(JSON.stringify(body))])];
  return `${words.join(' ')} --url ${quoted(address)}`;
}

/** A word of a shell, whatever is in it. */
function quoted(text: string): string {
  return /^[\w./:=@,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
