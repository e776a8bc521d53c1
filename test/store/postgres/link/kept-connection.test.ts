/** PE2, MB2: the connection by which nodes hear each other. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { PgConnection } from '../../../../store/postgres/link/connection.ts';
import { KeptConnection } from '../../../../store/postgres/link/kept-connection.ts';
import { eventually } from '../../../support/eventually.ts';
import { PgKit, type PgNode, pgOptions } from '../../../support/store/pg-kit.ts';

const kit = PgKit.ofProcess();

interface Kept {
  readonly kept: KeptConnection;
  readonly opened: PgConnection[];
  readonly heard: string[];
}

function keep({ log }: PgNode, channel: string, onOpen: (connection: PgConnection) => Promise<unknown> = async () => {}): Kept {
  const [opened, heard]: [PgConnection[], string[]] = [[], []];
  const kept: KeptConnection = new KeptConnection({
    ...{ links: log.links, purpose: 'test', channel, nextMs: () => 50 },
    onHeard: (_connection, payload) => void heard.push(payload),
    onOpen: async (connection) => {
      assert.equal(kept.current, connection, 'it can be used from here on');
      opened.push(connection);
      await onOpen(connection);
    },
  });
  return { kept, opened, heard };
}

const backends = () => kit.postgres.sql("select count(*) from pg_stat_activity where application_name = 'rosterd-test'");

test('PE2 MB2 what is cut is opened anew, and begins anew; what is said then is heard', pgOptions, async () => {
  const [node, channel] = [await kit.node(randomUUID()), `t${randomUUID().replaceAll('-', '')}`];
  const { kept, opened, heard } = keep(node, channel);
  await kept.start();
  assert.equal(opened.length, 1);
  node.proxy.cutAll();
  await eventually(() => opened.length > 1 && kept.current?.isLost === false, 'it is there again');
  await kit.postgres.sql(`notify ${channel}, 'hello'`);
  await eventually(() => heard.join() === 'hello', 'it is heard');
  await kept.close((connection) => connection.ask({ text: `select pg_notify('${channel}', 'bye')` }));
  assert.equal(kept.current?.isLost, true);
});

test('PE2 MB2 one whose beginning fails is replaced; a close at any time leaves none open', pgOptions, async () => {
  const [node, channel] = [await kit.node(randomUUID()), `t${randomUUID().replaceAll('-', '')}`];
  let attempts = 0;
  const failing = keep(node, channel, async () => {
    if (++attempts < 3) throw new Error('not yet');
  });
  await failing.kept.start();
  assert.equal(attempts, 3);
  await failing.kept.close(() => Promise.reject(new Error('the last word fails')));
  for (let ms = 0; ms < 40; ms += 4) {
    const { kept } = keep(node, channel, (connection) => connection.ask({ text: 'select pg_sleep(0.01)' }));
    const started = kept.start();
    await delay(ms);
    await kept.close();
    await started;
  }
  await eventually(async () => (await backends()).trim() === '0', 'none is left');
});

test('PE2 MB2 what is said on it waits for no standby; one that cannot listen is never used', pgOptions, async () => {
  const node = await kit.node(randomUUID());
  const { kept, opened } = keep(node, `t${randomUUID().replaceAll('-', '')}`);
  await kept.start();
  const setting = await opened[0]?.ask({ text: 'show synchronous_commit' });
  assert.deepEqual(setting?.rows, [{ synchronous_commit: 'off' }]);
  await kept.close();
  const deaf = keep(node, 'no channel');
  const sides: string[] = [];
  const link = await node.log.links.ready();
  const side = link.side.bind(link);
  link.side = async (purpose) => {
    sides.push(purpose);
    return await side(purpose);
  };
  const starting = deaf.kept.start();
  await eventually(() => sides.length >= 2, 'it is tried again');
  assert.deepEqual([deaf.opened, deaf.kept.current], [[], undefined]);
  await deaf.kept.close();
  await starting;
  await eventually(async () => (await backends()).trim() === '0', 'none is left');
});
