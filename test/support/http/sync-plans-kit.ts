/** Sync plans of a daemon, as browsers that are signed in to its console use them. */
import { Seals } from '../../../daemon/edge/console/seals.ts';
import type { SignInRole } from '../../../protocol/access/sign-ins.ts';
import { eventually } from '../eventually.ts';
import { API_SECRET, type HttpAnswer, type World } from '../world.ts';

/** Tests look into plans of every shape. */
export type SomePlan = HttpAnswer['body'];

export interface SignedIn {
  readonly id: string;
  /** Calls an endpoint of `/api/v2`. A body that is a text is uploaded as it is. */
  call(method: 'GET' | 'POST', path: string, body?: unknown): Promise<Pick<HttpAnswer, 'status' | 'body'>>;
}

/** `at`: a daemon, or the URL of one. */
export async function signIn(at: World | string, role: SignInRole = 'operate'): Promise<SignedIn> {
  const url = typeof at === 'string' ? at : at.daemon.url;
  const code = new Seals(API_SECRET).newCode(role, Date.now());
  const ask = async (path: string, method: string, cookie: string, body: unknown) =>
    await fetch(`${url}/console/${path}`, {
      method,
      headers: {
        'X-Rosterd-Console': '1',
        cookie,
        ...(body === undefined ? {} : { 'Content-Type': typeof body === 'string' ? 'text/csv' : 'application/json' }),
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
  const welcome = await ask('sign-in', 'POST', '', { code });
  const cookie = welcome.headers.get('set-cookie')?.split(';')[0] ?? '';
  const { id } = JSON.parse(await welcome.text());
  return {
    id,
    call: async (method, path, body) => {
      const answer = await ask(`api/api/v2${path}`, method, cookie, body);
      return { status: answer.status, body: await answer.json() };
    },
  };
}

/** Uploads a file and proposes a plan of it. */
export async function propose(by: SignedIn, text: string, options: object = {}, filename = 'users.csv'): Promise<SomePlan> {
  const { path } = (await by.call('POST', `/sync/sources?filename=${filename}`, text)).body;
  const { status, body } = await by.call('POST', '/sync/plans', { path, ...options });
  if (status !== 201) throw new Error(`no plan was proposed: ${JSON.stringify(body)}`);
  return body.sync_plan;
}

/** The plan, once it is in one of these states. */
export async function planIs(world: World, id: string, ...states: readonly string[]): Promise<SomePlan> {
  let plan: SomePlan;
  await eventually(
    async () => {
      plan = (await world.http('GET', `/api/v2/sync/plans/${id}`)).body.sync_plan;
      if (states.includes(plan.state)) return true;
      // Nothing comes after these by itself.
      if (['refused', 'failed'].includes(plan.state)) throw new Error(JSON.stringify(plan));
      return false;
    },
    () => `the plan becomes ${states.join(' or ')}: ${JSON.stringify(plan)}`,
  );
  return plan;
}
