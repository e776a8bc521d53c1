/** The endpoint about nodes: how each is doing, with samples of its last minutes. It keeps CO30 (daemon/RULES.md). */
import Type from 'typebox';
import { says } from '../../../protocol/base/explain.ts';
import { queryReader } from '../../../protocol/base/query-string.ts';
import { type Endpoint, inBothDialects } from '../http/endpoint.ts';
import { NodeState } from './node-state.ts';

const NodesQuery = Type.Object({
  after: Type.Optional(
    Type.Integer({
      minimum: 0,
      description: 'only samples after this time, seconds since 1970',
      ...says('must be a time in whole seconds since 1970'),
    }),
  ),
});
const readNodes = queryReader(NodesQuery);

export const NODES_ROUTES: readonly Endpoint[] = inBothDialects('/nodes', () => ({
  operation: 'ListNodes',
  method: 'GET',
  access: 'server',
  summary: 'How each node is doing: its health, and samples of its last 15 minutes',
  query: NodesQuery,
  answer: Type.Object({
    nodes: Type.Array(
      Type.Object({
        name: Type.Optional(Type.String()),
        is_here: Type.Boolean({ description: 'whether it is the node that answers' }),
        state: Type.Optional(NodeState),
        error: Type.Optional(Type.String({ description: 'why its state is not known' })),
      }),
    ),
  }),
  handle: async ({ services, query }) => {
    const listed = await services.nodes.list(readNodes(query).after ?? 0);
    const nodes = listed.map(({ name, isHere, ...found }) => ({
      ...(name === undefined ? undefined : { name }),
      is_here: isHere,
      ...found,
    }));
    return { body: { nodes } };
  },
}));
