/** CO2 and CO4 on daemons that share a PostgreSQL. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { Seals } from '../../../daemon/edge/console/seals.ts';
import { eventually } from '../../support/eventually.ts';
import { signInAt } from '../../support/http/console-kit.ts';
import { PgKit, pgOptions } from '../../support/store/pg-kit.ts';
import { pgWorld } from '../../support/store/pg-world.ts';
import { API_SECRET } from '../../support/world.ts';

const kit = PgKit.ofProcess();

test(
  'CO2 CO4 a link works once, whichever nodes are asked at once; its sign-in is good on each, and ends on each',
  pgOptions,
  async (t) => {
    const app = randomUUID();
    const nodes = [await pgWorld(t, kit, app), await pgWorld(t, kit, app)];
    const urls = nodes.map(({ world }) => world.daemon.url);
    const code = new Seals(API_SECRET).newCode('operate', Date.now());
    const answers = await Promise.all([...urls, ...urls].map((url) => signInAt(url, { code })));
    assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 409, 409, 409]);
    const cookie = answers.find(({ status }) => status === 200)?.cookie ?? '';
    // The first question to each: whichever let the browser in, the other one finds out.
    for (const url of urls) assert.equal((await signInAt(url, { cookie })).status, 200);
    await nodes[0]?.world.http('DELETE', '/sign_ins');
    for (const url of urls) await eventually(async () => (await signInAt(url, { cookie })).status === 401, `never ended at ${url}`);
  },
);
