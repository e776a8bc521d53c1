/** The whole directory at one position, as one file. */
import Type from 'typebox';
import { fieldErrors } from '../../../protocol/base/errors.ts';
import { Nothing } from '../../../protocol/users/answers.ts';
import { type Endpoint, inBothDialects } from '../http/endpoint.ts';

const NAME = 'rosterd-backup.ndjson';

export const BACKUP_ROUTES: readonly Endpoint[] = inBothDialects('/backup', () => ({
  operation: 'Backup',
  method: 'GET',
  access: 'server',
  summary: 'A backup of the whole directory at one position, JSON Lines, with checksums in its last line. `gzip=true`: compressed',
  query: Type.Object({ gzip: Type.Optional(Type.Boolean()) }),
  answer: Nothing,
  isBinary: true,
  handle: ({ services, query }) => {
    const isCompressed = flagOf(query.gzip);
    const { stream, position } = services.openBackup(isCompressed);
    return {
      body: {},
      headers: { 'X-Rosterd-Position': `${position.epoch}:${position.seq}` },
      file: {
        stream,
        type: isCompressed ? 'application/gzip' : 'application/x-ndjson',
        name: isCompressed ? `${NAME}.gz` : NAME,
      },
    };
  },
}));

function flagOf(text: string | undefined): boolean {
  if (text === undefined || text === '' || text === 'false') return false;
  if (text === 'true') return true;
  throw fieldErrors('input', [{ path: 'gzip', message: 'must be true or false' }]);
}
