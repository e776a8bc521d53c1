/** Makes a sync plan of an uploaded file, as `rosterd sync plan` does: the same sources, map, brakes and plan file. */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { LIMITS } from '../../../protocol/base/limits.ts';
import type { SyncPlan } from '../../../protocol/transfer/plans.ts';
import { BlobsUnavailable, type StoredBlob } from '../../../store/blobs.ts';
import { MAX_MISSING_COUNT, MAX_SHARE, measuredBrakes } from '../../sync/plan/brakes.ts';
import { makePlan } from '../../sync/plan/make-plan.ts';
import { compileMapping, MappingError } from '../../sync/plan/mapping.ts';
import { looksLikePlan, PlanWriter } from '../../sync/plan/plan-file.ts';
import type { PlanDeps, PlanOptions, PlanProgress, PlanSummary } from '../../sync/plan/plan-types.ts';
import { BrokenSource, type SourceChunk } from '../../sync/rows.ts';
import { type ByteSource, openByteSource } from '../../sync/sources/byte-source.ts';
import type { Files } from './files.ts';
import { inWorkFolder } from './work-folder.ts';

/** How long planning waits for a directory that cannot answer, milliseconds. */
const PATIENCE_MS = 24 * 3_600_000;
/** Fields that the summary names, the most frequent first. */
const FIELDS_MAX = 50;
/** The address in the header of a plan that a daemon made for itself. */
const INSIDE = 'rosterd';

export interface PlanMakerDeps extends Pick<PlanDeps, 'server' | 'clock' | 'random' | 'onTalk' | 'stop'> {
  readonly files: Pick<Files, 'openUpload' | 'writePlan'>;
  readonly workFolder: string;
  readonly onProgress: (progress: PlanProgress) => void;
}

/** What becomes of the document of a plan. Undefined: it was stopped, and nothing is known yet. */
export type PlanMade = Pick<SyncPlan, 'state' | 'problems' | 'summary' | 'digest' | 'bytes'> | undefined;

/** Rejects with BlobsUnavailable, LeaseLost, or an error of the system. */
export async function makeUploadedPlan(plan: SyncPlan, deps: PlanMakerDeps): Promise<PlanMade> {
  const upload = await deps.files.openUpload(plan.path);
  if (upload === undefined) return { state: 'failed', problems: ['the uploaded file is no longer there: upload it again'] };
  try {
    return await inWorkFolder(deps.workFolder, (folder) => makeFrom(plan, upload, folder, deps));
  } catch (error) {
    if (error instanceof MappingError) return { state: 'failed', problems: [...error.problems] };
    throw error;
  } finally {
    upload.stream.destroy();
  }
}

/** Its first line is looked at: a plan is one JSON object per line, too, and would empty the users that it names. */
export async function openUploadedSource(
  { stream }: StoredBlob,
  { source, options }: Pick<SyncPlan, 'source' | 'options'>,
): Promise<ByteSource> {
  return await openByteSource(stream, {
    file: source,
    format: options.format,
    checkStart: (line) => {
      if (looksLikePlan(line)) throw new BrokenSource('it is a plan, no source');
    },
  });
}

async function makeFrom(plan: SyncPlan, upload: StoredBlob, folder: string, deps: PlanMakerDeps): Promise<PlanMade> {
  const { files, server, clock, random, onProgress, onTalk, stop } = deps;
  const path = join(folder, 'plan.ndjson');
  const source = await openUploadedSource(upload, plan).catch((error: unknown): Pick<ByteSource, 'chunks' | 'columns'> => {
    // What planning says of it depends on the options.
    if (error instanceof BrokenSource) return { chunks: brokenOff(error), columns: ['id'] };
    throw error;
  });
  const { map } = plan.options;
  const mapping = compileMapping({
    ...(source.columns === undefined ? {} : { columns: source.columns }),
    ...(map === undefined || !('format' in source) ? {} : { map }),
  });
  const options = planOptions(plan);
  const summary = await makePlan(options, {
    ...{ rows: source.chunks, mapping, server, clock, random, onProgress, stop },
    ...(onTalk === undefined ? {} : { onTalk }),
    openSink: (header) => PlanWriter.create(path, header),
    spoolDirectory: folder,
  });
  const { errored } = upload.stream;
  if (errored instanceof BlobsUnavailable) throw errored;
  if (summary.status === 'interrupted') return undefined;
  const told = summaryOf(options, summary, mapping.notes);
  if (summary.status !== 'planned' || summary.trailer === undefined) {
    return { state: summary.status === 'refused' ? 'refused' : 'failed', problems: [...summary.problems], summary: told };
  }
  const { size: bytes } = await stat(path);
  if (bytes > LIMITS.planBytes) {
    return { state: 'failed', problems: [`the plan is bigger than ${LIMITS.planBytes} bytes: bring the source in parts`], summary: told };
  }
  await files.writePlan(plan.id, createReadStream(path));
  return { state: 'planned', problems: [], summary: told, digest: summary.trailer.sha256, bytes };
}

function planOptions({ source, options }: SyncPlan): PlanOptions {
  const { missing = 'ignore', max_missing, max_missing_count, max_errors, returning = 'leave', team } = options;
  return {
    ...{ url: INSIDE, source, missing, returning },
    maxMissing: max_missing ?? MAX_SHARE,
    maxMissingCount: max_missing_count ?? MAX_MISSING_COUNT,
    maxErrors: max_errors ?? MAX_SHARE,
    // One after the other: the daemon has other things to do.
    concurrency: 1,
    retryForMs: PATIENCE_MS,
    ...(team === undefined ? {} : { team }),
  };
}

/** Bounded, whatever the source is. */
function summaryOf(options: PlanOptions, summary: PlanSummary, notes: readonly string[]): NonNullable<SyncPlan['summary']> {
  const { counts, fields, errors, takenOut } = summary;
  const told = {
    counts,
    fields: fields.slice(0, FIELDS_MAX),
    errors,
    notes: [...notes, ...summary.notes],
    brakes: measuredBrakes(options, summary),
    ...(takenOut.count === 0 ? undefined : { taken_out: takenOut }),
  };
  return JSON.parse(JSON.stringify(told));
}

// biome-ignore lint/correctness/useYield: it breaks before its first chunk
async function* brokenOff(error: BrokenSource): AsyncGenerator<SourceChunk> {
  throw error;
}
