/** For a program that keeps another system equal to this directory: the current position, and the list of users. */
import Type from 'typebox';
import { queryReader } from '../../../protocol/base/query-string.ts';
import { Nothing } from '../../../protocol/users/answers.ts';
import { listedBy, PartCountParameter, PartsParameter, TeamParameter } from '../../../protocol/users/comparing/comparison.ts';
import { type Endpoint, inBothDialects } from '../http/endpoint.ts';
import { userList } from './revision-list.ts';

const RevisionsQuery = Type.Object({ team: TeamParameter, parts: PartsParameter, of: PartCountParameter });
/** JSON Lines. */
const LINES = 'application/x-ndjson';
const readRevisions = queryReader(RevisionsQuery);

export const SYNC_ROUTES: readonly Endpoint[] = [
  ...inBothDialects('/sync/position', () => ({
    operation: 'GetPosition',
    method: 'GET',
    access: 'server',
    summary: 'The position of the directory and its number of users; a server that answers this is rosterd',
    answer: Type.Object({ epoch: Type.String(), seq: Type.Integer(), users: Type.Integer() }),
    handle: ({ backend: { directory, position } }) => ({
      body: { epoch: position.epoch, seq: position.seq, users: directory.size },
      seq: position.seq,
    }),
  })),
  ...inBothDialects('/sync/users', () => ({
    operation: 'ListUserRevisions',
    method: 'GET',
    access: 'server',
    summary: 'Ids and revisions of all users, or of those of a team or of parts of a digest, at one position: one JSON object per line',
    query: RevisionsQuery,
    answer: Nothing,
    downloads: [LINES],
    handle: ({ backend, query }) => {
      const isListed = listedBy(readRevisions(query));
      const view = backend.freeze();
      const stream = userList({ view, isListed });
      return { body: {}, seq: view.position.seq, file: { stream, type: LINES, name: 'users.ndjson' } };
    },
  })),
];
