/** The whole directory at one position, as one file. */
import Type from 'typebox';
import { positionText } from '../../../protocol/base/position-text.ts';
import { QueryFlag, queryReader } from '../../../protocol/base/query-string.ts';
import { Nothing } from '../../../protocol/users/answers.ts';
import { type Endpoint, inBothDialects } from '../http/endpoint.ts';

const BackupQuery = Type.Object({ gzip: QueryFlag });
const readBackup = queryReader(BackupQuery);

const NAME = 'rosterd-backup.ndjson';
const PLAIN = 'application/x-ndjson';
const COMPRESSED = 'application/gzip';

export const BACKUP_ROUTES: readonly Endpoint[] = inBothDialects('/backup', () => ({
  operation: 'Backup',
  method: 'GET',
  access: 'server',
  summary: 'A backup of the whole directory at one position, JSON Lines, with checksums in its last line. `gzip=true`: compressed',
  query: BackupQuery,
  answer: Nothing,
  downloads: [PLAIN, COMPRESSED],
  handle: ({ services, query }) => {
    const { gzip: isCompressed = false } = readBackup(query);
    const { stream, position } = services.openBackup(isCompressed);
    return {
      body: {},
      headers: { 'X-Rosterd-Position': positionText(position) },
      file: {
        stream,
        type: isCompressed ? COMPRESSED : PLAIN,
        name: isCompressed ? `${NAME}.gz` : NAME,
      },
    };
  },
}));
