/** Commands that do the same as the console: shown beside every action, to be copied. They hold no secret. Pure. */
import type { ApiCall } from './api-call.ts';

/** For `curl`, with the token in `$ROSTERD_TOKEN`. `address`: of the daemon. */
export function curlLine(address: string, apiKey: string, { method, path, body, ifMatch }: ApiCall): string {
  const url = `${address}${path}${path.includes('?') ? '&' : '?'}api_key=${encodeURIComponent(apiKey)}`;
  return [
    `curl -X ${method} ${quoted(url)}`,
    `-H "Authorization: $ROSTERD_TOKEN"`,
    `-H 'Stream-Auth-Type: jwt'`,
    ...(ifMatch === undefined ? [] : [`-H ${quoted(`If-Match: ${ifMatch}`)}`]),
    ...(body === undefined ? [] : [`-H 'Content-Type: application/json'`, `-d ${quoted(JSON.stringify(body))}`]),
  ].join(' ');
}

/** For `rosterd call`, which finds the token by itself. */
export function rosterdLine(address: string, { method, path, body, ifMatch }: ApiCall): string {
  const words = [
    ...['npx rosterd call', method, quoted(path)],
    ...(body === undefined ? [] : [quoted(JSON.stringify(body))]),
    ...(ifMatch === undefined ? [] : ['--if-match', quoted(ifMatch)]),
  ];
  return `${words.join(' ')} --url ${quoted(address)}`;
}

/** For `rosterd compare`, on a file that the reader has. */
export function compareLine(address: string, { position, team }: { readonly position: string; readonly team: string }): string {
  const options = [...(position === '' ? [] : ['--position', quoted(position)]), ...(team === '' ? [] : ['--team', quoted(team)])];
  return ['npx rosterd compare copy.ndjson', ...options, '--url', quoted(address)].join(' ');
}

/** A word of a shell, whatever is in it. */
function quoted(text: string): string {
  return /^[\w./:=@,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
