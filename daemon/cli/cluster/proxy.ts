/** HAProxy before the nodes, with the configuration that `daemon/deploy` offers. */
import { packageText } from '../version.ts';

export interface ProxyPlaces {
  /** `host:port` where it listens. */
  readonly listen: string;
  /** `host:port` of each node. */
  readonly nodes: readonly string[];
}

/** The text of `daemon/deploy/haproxy.cfg` with these addresses in place of its own. */
export function haproxyConfig({ listen, nodes }: ProxyPlaces): string {
  const text = packageText('daemon/deploy/haproxy.cfg');
  const servers = nodes.map((node, n) => `    server node-${n + 1} ${node}\n`).join('');
  return text.replace(/^( *bind ).*$/m, `$1${listen}`).replaceAll(/(?:^ *server node-\d+ .*\n)+/gm, servers);
}
