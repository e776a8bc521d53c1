/** The tasks that the directory keeps, as a list. */
import Type from 'typebox';
import { says } from '../../../protocol/base/explain.ts';
import { LIMITS } from '../../../protocol/base/limits.ts';
import { pageLimit, QueryLimit, queryReader } from '../../../protocol/base/query-string.ts';
import { TaskStatus } from '../../../protocol/log/documents.ts';
import { type Endpoint, inBothDialects } from '../http/endpoint.ts';
import { taskResult } from '../transfer/exports.ts';
import { renderTask, taskIn } from './settings.ts';

const TasksQuery = Type.Object({
  limit: QueryLimit,
  offset: Type.Optional(
    Type.Integer({ minimum: 0, maximum: LIMITS.tasksKept, ...says(`must be a whole number from 0 to ${LIMITS.tasksKept}`) }),
  ),
  status: Type.Optional(TaskStatus),
});
const readTasks = queryReader(TasksQuery);

const Progress = Type.Object({ done: Type.Integer(), total: Type.Integer() });

export const TASKS_ROUTES: readonly Endpoint[] = inBothDialects('/tasks', (dialect) => ({
  operation: 'ListTasks',
  method: 'GET',
  access: 'server',
  summary: 'The tasks that are kept, the newest first; imports are in a list of their own',
  query: TasksQuery,
  answer: Type.Object({
    tasks: Type.Array(Type.Intersect([taskIn(dialect), Type.Object({ kind: Type.String(), progress: Type.Optional(Progress) })])),
  }),
  handle: ({ backend, services, query }) => {
    const { offset = 0, status, ...page } = readTasks(query);
    // At most LIMITS.tasksKept that have ended, and those under way.
    const all = [...backend.directory.docs.all('task')].filter((task) => status === undefined || task.status === status);
    const shown = all.sort((a, b) => b.created_at - a.created_at).slice(offset, offset + pageLimit(page));
    const tasks = shown.map((task) => {
      const result = taskResult(task, services);
      const rendered = renderTask(result === undefined ? task : { ...task, result }, dialect);
      return { ...rendered, kind: task.kind, ...(task.progress === undefined ? undefined : { progress: task.progress }) };
    });
    return { body: { tasks } };
  },
}));
