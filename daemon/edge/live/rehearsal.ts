/** The endpoint that says what a connection that resumes would be sent. It keeps DW5–DW7 (daemon/RULES.md). */
import { Compile } from 'typebox/compile';
import { bodyObject, checked } from '../../../protocol/base/reading.ts';
import { RehearseAnswer, RehearseBody } from '../../../protocol/live/rehearsal.ts';
import { type Endpoint, inBothDialects } from '../http/endpoint.ts';

const check = Compile(RehearseBody);

export const REHEARSAL_ROUTES: readonly Endpoint[] = inBothDialects('/debug/resume', () => ({
  operation: 'SimulateResume',
  method: 'POST',
  access: 'server',
  summary: 'What a live connection that resumes from a position would be sent; sends nothing',
  body: RehearseBody,
  answer: RehearseAnswer,
  handle: async ({ live, body }) => ({ body: { ...(await live.rehearse(checked(check, bodyObject(await body())))) } }),
}));
