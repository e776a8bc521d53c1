/** Which addresses only this machine reaches. */
import { isIPv4 } from 'node:net';

/** Names are not looked up: only `localhost` and addresses that are loopback by definition count. */
export function isLoopback(host: string): boolean {
  const name = host.toLowerCase().replace(/^::ffff:/, '');
  return name === 'localhost' || name === '::1' || /^(0{1,4}:){7}0{0,3}1$/.test(name) || (isIPv4(name) && name.startsWith('127.'));
}
