/** The servers that an address names. `pg` knows one host; a cluster has several, one of which takes writes. */

export interface PostgresTarget {
  /** Host and database, for messages: without user and password. */
  readonly name: string;
  readonly url: string;
}

/** The store cannot use this database, and trying again would not help. The message says what to do. */
export class PostgresUnusable extends Error {
  /** @param target its name in messages */
  constructor(target: string, reason: string, options?: ErrorOptions) {
    super(`${target}: ${reason}`, options);
    this.name = 'PostgresUnusable';
  }
}

const ADDRESS = /^(postgres(?:ql)?:\/\/)([^/?#]*@)?([^/?#@]*)([^?#]*)(.*)$/s;

/** `postgres://user:password@host1:5432,host2/database`: one target for each host. Throws PostgresUnusable. */
export function postgresTargets(address: string): readonly PostgresTarget[] {
  const [, scheme, login = '', hosts = '', path = '', rest = ''] = ADDRESS.exec(address) ?? [];
  if (scheme === undefined)
    throw new PostgresUnusable('the address of the log', 'it is none of PostgreSQL; write it as postgres://user@host1,host2/database');
  return hosts
    .split(',')
    .map((host) => ({ name: `${host === '' ? 'the local server' : host}${path}`, url: scheme + login + host + path + rest }));
}
