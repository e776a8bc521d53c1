/** The whole directory at one position, as one file; and what is known of the last ones. */
import Type from 'typebox';
import { Compile } from 'typebox/compile';
import { RosterError } from '../../../protocol/base/errors.ts';
import { positionText } from '../../../protocol/base/position-text.ts';
import { QueryFlag, queryReader } from '../../../protocol/base/query-string.ts';
import { bodyObject, checked, presentFields } from '../../../protocol/base/reading.ts';
import { Nothing, timeIn } from '../../../protocol/users/answers.ts';
import { timeOf } from '../../../protocol/users/render.ts';
import { type Endpoint, type EndpointAnswer, inBothDialects } from '../http/endpoint.ts';
import type { Services } from '../http/services.ts';

const BackupQuery = Type.Object({ gzip: QueryFlag });
const readBackup = queryReader(BackupQuery);
const BackupUrlBody = Type.Object({ gzip: Type.Optional(Type.Boolean()) });
const urlCheck = Compile(BackupUrlBody);

const NAME = 'rosterd-backup.ndjson';
const PACKED_NAME = `${NAME}.gz`;
const PLAIN = 'application/x-ndjson';
const COMPRESSED = 'application/gzip';
/** A backup must begin within this time. It holds everything, so its URL is not good for long. */
const URL_S = 60;

export const BACKUP_ROUTES: readonly Endpoint[] = [
  ...inBothDialects('/backup', () => ({
    operation: 'Backup',
    method: 'GET',
    access: 'server',
    summary: 'A backup of the whole directory at one position, JSON Lines, with checksums in its last line. `gzip=true`: compressed',
    query: BackupQuery,
    answer: Nothing,
    downloads: [PLAIN, COMPRESSED],
    handle: ({ services, query }) => backupAnswer(services, readBackup(query).gzip === true),
  })),
  ...inBothDialects('/backup_url', () => ({
    operation: 'CreateBackupURL',
    method: 'POST',
    access: 'server',
    summary: 'A URL that gives whoever opens it in the next minute a backup, without a token: for the download of a browser',
    body: BackupUrlBody,
    answer: Type.Object({ url: Type.String() }),
    handle: async ({ services, body }) => {
      const { gzip = true } = checked(urlCheck, presentFields(bodyObject(await body())));
      const untilS = Math.floor(services.nowMs() / 1_000) + URL_S;
      return { status: 201, body: { url: services.signUrl(`/backup/${gzip ? PACKED_NAME : NAME}`, untilS) } };
    },
  })),
  {
    operation: 'DownloadBackup',
    method: 'GET',
    path: '/backup/:file',
    dialect: 'v1',
    access: 'signed',
    summary: 'The backup of such a URL',
    answer: Nothing,
    downloads: [PLAIN, COMPRESSED],
    handle: ({ services, params: { file } }) => {
      if (file !== NAME && file !== PACKED_NAME) throw new RosterError('not_found', 'there is no such backup');
      return backupAnswer(services, file === PACKED_NAME);
    },
  },
  ...inBothDialects('/backups', (dialect) => ({
    operation: 'ListBackups',
    method: 'GET',
    access: 'server',
    summary: 'Backups that are being read, and the last one that was read to its end, of all nodes, each since its start',
    answer: Type.Object({
      running: Type.Integer(),
      last: Type.Optional(Type.Object({ ended_at: timeIn(dialect), bytes: Type.Integer({ description: 'size of the file' }) })),
    }),
    handle: async ({ live }) => {
      const states = await live.backupStates();
      const last = states.flatMap((state) => state.last ?? []).sort((a, b) => b.endedMs - a.endedMs)[0];
      const running = states.reduce((sum, state) => sum + state.running, 0);
      const time = timeOf(dialect);
      const shown = last === undefined ? undefined : { last: { ended_at: time(Math.round(last.endedMs * 1_000)), bytes: last.bytes } };
      return { body: { running, ...shown } };
    },
  })),
];

function backupAnswer({ openBackup }: Pick<Services, 'openBackup'>, isCompressed: boolean): EndpointAnswer {
  const { stream, position } = openBackup(isCompressed);
  const file = isCompressed ? { type: COMPRESSED, name: PACKED_NAME } : { type: PLAIN, name: NAME };
  return { body: {}, headers: { 'X-Rosterd-Position': positionText(position) }, file: { stream, ...file } };
}
