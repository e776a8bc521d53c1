/** HS1, HS7, HS8: who may import whom. */
import { test } from 'node:test';
import { inwardOnly, noCircles, ROOMS, roomsInOrder } from '../support/house/imports.ts';
import { finds, holds } from '../support/house/tree.ts';

test('HS1 imports go inward only', () => holds(inwardOnly));

test('HS1 an import that goes outward is found, a type too, and so is one of main.ts', () => {
  finds(
    inwardOnly,
    {
      'daemon/main.ts': "import { serve } from './cli/serve.ts';",
      'daemon/cli/serve.ts': "import '../main.ts';",
      'daemon/core/decide.ts':
        "import type { Log } from '../../store/log.ts';\nimport { a } from './a.ts';\nimport { b } from '../../protocol/b.ts';",
      'daemon/pipeline/hub.ts':
        "import { readFile } from 'node:fs/promises';\nexport const wait = async () => (await import('ws')).WebSocket;",
      'daemon/jobs/run.ts': "export type Caller = import('../edge/auth.ts').Caller;",
      'protocol/user.ts': "import { Type } from 'typebox';\nexport { RosterClient } from './client/index.ts';",
      'daemon/sync/load.ts': 'export const load = (name: string) => import(name);',
      'daemon/elsewhere/a.ts': 'export const a = 1;',
      'test/edge/a.test.ts': "import '../../daemon/main.ts';",
    },
    [
      'daemon/cli/serve.ts imports daemon/main.ts',
      'daemon/core/decide.ts imports store/log.ts',
      'daemon/pipeline/hub.ts imports ws',
      'daemon/jobs/run.ts imports daemon/edge/auth.ts',
      'protocol/user.ts imports protocol/client/index.ts',
      'daemon/sync/load.ts imports something computed in line 1',
      'daemon/elsewhere/a.ts is in no folder that the rules know',
    ],
  );
});

test('HS7 no file imports itself through others', () => holds(noCircles));

test('HS7 a circle is found, of types alone too, and told as one', () => {
  finds(
    noCircles,
    {
      'store/a.ts': "import { b } from './b.ts';",
      'store/b.ts': "import type { C } from './deep/c.ts';",
      'store/deep/c.ts': "export type C = import('../a.ts').A;",
      'store/d.ts': "import './a.ts';\n// import './d.ts';\nexport const text = \"import './d.ts'\";",
      'store/self.ts': "import type { Self } from './self.ts';",
      'test/x.ts': "export * from './y.ts';",
      'test/y.ts': "import './x.ts';",
    },
    [
      '3 files import one another: store/a.ts, store/b.ts, store/deep/c.ts',
      '1 files import one another: store/self.ts',
      '2 files import one another: test/x.ts, test/y.ts',
    ],
  );
});

test('HS8 the rooms of a layer import in their order', () => holds(roomsInOrder(ROOMS)));

test('HS8 an import against the order, one beside it, a file without a room and a room without files are found', () => {
  const order = { store: [['base'], ['users', 'access'], [['log', 'log.ts', 'users/log-piece.ts']], ['.'], ['live']] };
  finds(
    roomsInOrder(order),
    {
      'store/base/time.ts': "import type { User } from '../users/user.ts';",
      'store/users/user.ts': "import '../base/time.ts';\nimport './deep/piece.ts';\nimport type { Role } from '../access/role.ts';",
      'store/users/deep/piece.ts': "import '../log-piece.ts';",
      'store/access/role.ts': '',
      'store/users/log-piece.ts': "import '../log.ts';\nimport './user.ts';",
      'store/log.ts': "import './log/entry.ts';\nimport './index.ts';",
      'store/log/entry.ts': '',
      'store/index.ts': "import './log.ts';",
      'store/other/a.ts': '',
      'daemon/core/decide.ts': "import '../../store/live/a.ts';",
    },
    [
      'store/base/time.ts imports store/users/user.ts, but store/users does not come before store/base',
      'store/users/user.ts imports store/access/role.ts, but store/access does not come before store/users',
      'store/users/deep/piece.ts imports store/users/log-piece.ts, but store/{log, log.ts, users/log-piece.ts} does not come before store/users',
      'store/log.ts imports store/index.ts, but store/*.ts does not come before store/{log, log.ts, users/log-piece.ts}',
      'store/other/a.ts is in no room of store',
      'store/live is a room without files',
    ],
  );
});
