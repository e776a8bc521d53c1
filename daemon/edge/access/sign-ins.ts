/** Endpoints about sign-ins to the console: which are open, and the end of them. */
import Type from 'typebox';
import { isSignInOpen, SignInRole } from '../../../protocol/access/sign-ins.ts';
import { timeIn } from '../../../protocol/users/answers.ts';
import { timeOf } from '../../../protocol/users/render.ts';
import { type Endpoint, inBothDialects } from '../http/endpoint.ts';

export const SIGN_INS_ROUTES: readonly Endpoint[] = [
  ...inBothDialects('/sign_ins', (dialect) => ({
    operation: 'ListSignIns',
    method: 'GET',
    access: 'server',
    summary: 'The open sign-ins to the console, oldest first',
    answer: Type.Object({
      sign_ins: Type.Array(Type.Object({ id: Type.String(), role: SignInRole, created_at: timeIn(dialect), ends_at: timeIn(dialect) })),
    }),
    handle: ({ backend, services }) => {
      const time = timeOf(dialect);
      const open = [...backend.directory.docs.all('sign_in')].filter((one) => isSignInOpen(one, services.nowMs()));
      const shown = open.map(({ id, role, created_at, ends_at }) => ({ id, role, created_at: time(created_at), ends_at: time(ends_at) }));
      return { body: { sign_ins: shown } };
    },
  })),
  ...inBothDialects('/sign_ins', () => ({
    operation: 'EndSignIns',
    method: 'DELETE',
    access: 'server',
    summary: 'Ends every sign-in to the console',
    answer: Type.Object({ ended: Type.Integer({ description: 'how many were open' }) }),
    handle: async ({ submit }) => {
      const { docs = [], seq } = await submit({ kind: 'sign-out' }, 'live');
      return { body: { ended: docs.length }, seq };
    },
  })),
];
