/** The client as a web page gets it: bundled and minified. */
import { join } from 'node:path';
import { build } from 'esbuild';

const CLIENT = join(import.meta.dirname, '../../../protocol/client');

export interface Bundle {
  readonly code: string;
  /** Files that are in it, by path; those of which nothing was left are not among them. */
  readonly files: readonly string[];
}

/** `names`: what the page imports of the library, `*` for all of it. It becomes the global `rosterd`. */
export async function bundleClient(names: string): Promise<Bundle> {
  const { outputFiles, metafile } = await build({
    stdin: { contents: `export ${names} from './index.ts';`, resolveDir: CLIENT, loader: 'ts' },
    bundle: true,
    minify: true,
    format: 'iife',
    globalName: 'rosterd',
    platform: 'browser',
    target: 'es2022',
    write: false,
    metafile: true,
  });
  const [output] = Object.values(metafile.outputs);
  const files = Object.entries(output?.inputs ?? {}).flatMap(([path, { bytesInOutput }]) => (bytesInOutput > 0 ? [path] : []));
  return { code: outputFiles[0]?.text ?? '', files };
}
