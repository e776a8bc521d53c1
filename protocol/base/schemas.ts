/** Pieces of schemas that many messages and facts are made of. Pure. */
import Type from 'typebox';
import type { JsonObject } from './json.ts';

/** A point in time as the log holds it: microseconds since 1970. */
export const MicrosField = Type.Integer({ minimum: 0 });

/** A JSON object with whatever keys. */
export const AnyObject = Type.Unsafe<JsonObject>(Type.Object({}, { additionalProperties: true }));
