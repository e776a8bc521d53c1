/** The descriptions of the API and of the live protocol. */

import Type from 'typebox';
import { AnyObject } from '../../../protocol/base/schemas.ts';
import { inSlices } from '../../base/slices.ts';
import type { Endpoint } from '../http/endpoint.ts';
import { describeLive } from './asyncapi.ts';
import { describeApi } from './openapi.ts';
import type { JsonSchema } from './schemas.ts';

/** Made on first request; the endpoints of a daemon never change. */
const made = new WeakMap<readonly Endpoint[], Promise<JsonSchema>>();

let live: JsonSchema | undefined;

export const OPENAPI_ROUTES: readonly Endpoint[] = [
  {
    operation: 'GetOpenApi',
    method: 'GET',
    path: '/openapi.json',
    dialect: 'v1',
    access: 'open',
    summary: 'This description',
    isPlain: true,
    answer: Type.Object({
      openapi: Type.String(),
      info: AnyObject,
      tags: Type.Array(AnyObject),
      paths: AnyObject,
      components: AnyObject,
    }),
    handle: async ({ endpoints }) => {
      const document = made.get(endpoints) ?? inSlices(describeApi(endpoints));
      made.set(endpoints, document);
      return { body: await document };
    },
  },
  {
    operation: 'GetAsyncApi',
    method: 'GET',
    path: '/asyncapi.json',
    dialect: 'v1',
    access: 'open',
    summary: 'The description of the live protocol (AsyncAPI 3)',
    isPlain: true,
    answer: Type.Object({
      asyncapi: Type.String(),
      info: AnyObject,
      defaultContentType: Type.String(),
      servers: AnyObject,
      channels: AnyObject,
      operations: AnyObject,
      components: AnyObject,
    }),
    handle: () => {
      live ??= describeLive();
      return { body: live };
    },
  },
];
