/** One feed follows another. Its id is `source>target`. */

import Type, { type Static } from 'typebox';
import { MicrosField } from '../base/schemas.ts';

export const Follow = Type.Object({ source: Type.String(), target: Type.String(), created_at: MicrosField });

export type Follow = Static<typeof Follow>;
