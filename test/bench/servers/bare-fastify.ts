/**
 * The least that fastify can do with an upsert of users, without rosterd's promises: reads the body, keeps the users in a Map, and
 * answers with what rosterd answers. `fdatasync`: appends the answer to a file and makes it durable first, one after the other.
 */
import { open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fastify from 'fastify';

const [mode] = process.argv.slice(2);
const place = join(process.env.ROSTERD_BENCH_DIR ?? tmpdir(), `rosterd-bench-bare-${process.pid}`);
const file = mode === 'fdatasync' ? await open(place, 'a') : undefined;
await (file && rm(place));
const users = new Map<string, unknown>();
const app = fastify({ keepAliveTimeout: 0 });
let seq = 0;

app.post<{ Body: { readonly users: Record<string, { readonly id: string }> } }>('/api/v2/users', async ({ body }) => {
  const at = new Date().toISOString();
  const shown = Object.values(body.users).map((user) => {
    const one = { ...user, rev: ++seq, created_at: at, updated_at: at, online: false, banned: false, invisible: false };
    users.set(user.id, one);
    return [user.id, one] as const;
  });
  const answer = { users: Object.fromEntries(shown), membership_deletion_task_id: '', duration: '0.10ms' };
  await file?.appendFile(`${JSON.stringify(answer)}\n`);
  await file?.datasync();
  return answer;
});

console.log(`listens on ${await app.listen({ port: 0, host: '127.0.0.1' })}`);
