/** DR7: a daemon, and two of them, behind a real nginx, as it is offered and with the usual mistakes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { folder, run } from '../../support/cli-run.ts';
import { nginxAloneOptions } from '../../support/nodes/cluster-process.ts';
import { startNginx } from '../../support/nodes/nginx.ts';
import { API_KEY, API_SECRET, World } from '../../support/world.ts';

const OUTSIDE = ['http', 'ready', 'clock', 'websocket', 'polling', 'body', 'hold'];
const CREDENTIALS = { ROSTERD_API_KEY: API_KEY, ROSTERD_API_SECRET: API_SECRET };

interface Seen {
  readonly code: number;
  /** The checks from outside that are not ok, with what is said about them. */
  readonly wrong: Readonly<Record<string, string>>;
  readonly checks: readonly string[];
}

async function look(cwd: string, url: string, more = ''): Promise<Seen> {
  const { code, out, err } = await run(cwd, `doctor --json --listen 127.0.0.1:0 --url ${url}${more}`, CREDENTIALS, undefined, Date.now());
  assert.equal(err, '');
  const all: { check: string; health: string; found: string; advice: string }[] = JSON.parse(out).checks;
  const outside = all.filter(({ check }) => OUTSIDE.includes(check));
  const wrong = outside.filter(({ health }) => health !== 'ok').map(({ check, found, advice }) => [check, `${found}: ${advice}`] as const);
  return { code, wrong: Object.fromEntries(wrong), checks: outside.map(({ check }) => check) };
}

test('DR7 a daemon without a proxy, and one behind the offered nginx, pass every check', nginxAloneOptions, async (t) => {
  const [cwd, world] = [folder(t), await World.start(t)];
  for (const url of [world.daemon.url, await startNginx(t, [world.daemon.url])]) {
    const seen = await look(cwd, url, ' --hold 500ms');
    assert.deepEqual(seen, { code: 0, wrong: {}, checks: OUTSIDE });
  }
});

test('DR7 a proxy that does not pass the upgrade on is named, and the headers that it should pass', nginxAloneOptions, async (t) => {
  const [cwd, world] = [folder(t), await World.start(t)];
  const url = await startNginx(t, [world.daemon.url], (config) => config.replaceAll(/^ *proxy_set_header (Upgrade|Connection) .*$/gm, ''));
  const { code, wrong } = await look(cwd, url);
  assert.deepEqual([code, Object.keys(wrong)], [1, ['websocket']]);
  assert.match(wrong.websocket ?? '', /^the upgrade is answered with \d+: .*Upgrade and Connection/);
});

test('DR7 a proxy with a small limit of bodies, and one that cuts silent connections, are named', nginxAloneOptions, async (t) => {
  const [cwd, world] = [folder(t), await World.start(t)];
  const edit = (config: string) =>
    config.replace('client_max_body_size 0', 'client_max_body_size 1m').replace('proxy_read_timeout 120s', 'proxy_read_timeout 1s');
  const { code, wrong } = await look(cwd, await startNginx(t, [world.daemon.url], edit), ' --hold 20s');
  assert.deepEqual([code, Object.keys(wrong)], [1, ['body', 'hold']]);
  assert.match(wrong.body ?? '', /answered with 413, not by the daemon: .*client_max_body_size/);
  assert.match(wrong.hold ?? '', /ended after .*proxy_read_timeout/);
});

test(
  'DR7 two nodes fail over long polling where requests of one connection go to both, and pass where they do not',
  nginxAloneOptions,
  async (t) => {
    const cwd = folder(t);
    const urls = (await Promise.all([World.start(t), World.start(t)])).map(({ daemon }) => daemon.url);
    // Nodes of no cluster have no names by which the offered configuration could choose.
    const astray = (config: string) => config.replace('http://$opened_by', 'http://nodes');
    const { code, wrong } = await look(cwd, await startNginx(t, urls, astray));
    assert.deepEqual([code, Object.keys(wrong)], [1, ['polling']]);
    assert.match(wrong.polling ?? '', /came to a node that does not know them/);
    const byAddress = await startNginx(t, urls, (config) => astray(config).replace('least_conn', 'ip_hash'));
    assert.deepEqual((await look(cwd, byAddress)).wrong, {});
  },
);

test('DR7 a proxy that reaches no daemon, and what is no rosterd, end the checks from outside', nginxAloneOptions, async (t) => {
  const [cwd, world] = [folder(t), await World.start(t)];
  const url = await startNginx(t, [world.daemon.url]);
  const elsewhere = await look(cwd, `${url}/users`);
  assert.deepEqual([elsewhere.code, elsewhere.checks], [1, ['http']]);
  await world.stop();
  const { code, wrong, checks } = await look(cwd, url);
  assert.deepEqual([code, checks], [1, ['http']]);
  assert.match(wrong.http ?? '', /answers 50\d: it does not reach a daemon/);
});
