/**
 * The rules of OpenAPI 3.1 and of JSON Schema 2020-12, as far as the description of the API uses them; whatever it would use
 * beyond them is a mistake here until a rule is written for it. Gives every breach with its place.
 */

type Place = readonly (string | number)[];
type Obj = Readonly<Record<string, unknown>>;

const METHODS = ['get', 'put', 'post', 'delete', 'patch'];
const TYPES = ['null', 'boolean', 'object', 'array', 'number', 'string', 'integer'];
const FORMATS = ['date-time', 'int64', 'uri', 'uuid', 'date'];
const isText = (value: unknown): boolean => typeof value === 'string';
const isCount = (value: unknown): boolean => Number.isInteger(value) && Number(value) >= 0;
const isNumber = (value: unknown): boolean => typeof value === 'number';
const isFlag = (value: unknown): boolean => typeof value === 'boolean';
const isTextList = (value: unknown): boolean =>
  Array.isArray(value) && value.every((item) => typeof item === 'string') && new Set(value).size === value.length;
const isPattern = (value: unknown): boolean => {
  try {
    return typeof value === 'string' && new RegExp(value, 'u') instanceof RegExp;
  } catch {
    return false;
  }
};

/** Keywords whose value is no schema. */
const PLAIN_KEYWORDS: Readonly<Record<string, (value: unknown) => boolean>> = {
  type: (value) => TYPES.includes(String(value)) || (isTextList(value) && [value].flat().every((item) => TYPES.includes(String(item)))),
  title: isText,
  description: isText,
  format: (value) => FORMATS.includes(String(value)),
  pattern: isPattern,
  enum: (value) => Array.isArray(value) && value.length > 0,
  const: (value) => value !== undefined,
  default: (value) => value !== undefined,
  required: isTextList,
  minLength: isCount,
  maxLength: isCount,
  minItems: isCount,
  maxItems: isCount,
  minProperties: isCount,
  maxProperties: isCount,
  uniqueItems: isFlag,
  minimum: isNumber,
  maximum: isNumber,
};

export function openApiBreaches(document: unknown): string[] {
  return new Reader(document).read();
}

class Reader {
  readonly #document: unknown;
  readonly #breaches: string[] = [];
  readonly #used = new Set<string>();
  readonly #operationIds = new Set<string>();

  constructor(document: unknown) {
    this.#document = document;
  }

  read(): string[] {
    const { openapi, info, tags, paths, components } = this.#object(this.#document, [], ['openapi', 'info', 'tags', 'paths', 'components']);
    this.#must(isText(openapi) && /^3\.1\.\d+$/.test(String(openapi)), ['openapi'], 'must be 3.1.x');
    const { title, version } = this.#object(info, ['info'], ['title', 'version', 'description']);
    this.#must(isText(title) && isText(version), ['info'], 'must have title and version');
    const names = this.#list(tags, ['tags']).map((tag, at) => this.#object(tag, ['tags', at], ['name', 'description']).name);
    this.#must(new Set(names).size === names.length, ['tags'], 'must have unique names');
    const parts = this.#object(components, ['components'], ['schemas', 'responses', 'headers', 'securitySchemes']);
    this.#paths(this.#object(paths, ['paths']), new Set(names), new Set(Object.keys(this.#object(parts.securitySchemes, []))));
    for (const [name, schema] of Object.entries(this.#object(parts.schemas, []))) this.#schema(schema, ['components', 'schemas', name]);
    for (const [name, one] of Object.entries(this.#object(parts.responses, []))) this.#response(one, ['components', 'responses', name]);
    for (const [name, one] of Object.entries(this.#object(parts.headers, []))) this.#header(one, ['components', 'headers', name]);
    for (const [name, one] of Object.entries(this.#object(parts.securitySchemes, [])))
      this.#scheme(one, ['components', 'securitySchemes', name]);
    for (const group of ['schemas', 'responses', 'headers']) {
      for (const name of Object.keys(this.#object(parts[group], []))) {
        this.#must(/^[\w.-]+$/.test(name), ['components', group, name], 'is not a component name');
        this.#must(this.#used.has(`#/components/${group}/${name}`), ['components', group, name], 'is never used');
      }
    }
    return this.#breaches;
  }

  #must(holds: boolean, place: Place, text: string): void {
    if (!holds) this.#breaches.push(`${place.join(' › ') || 'document'}: ${text}`);
  }

  #object(value: unknown, place: Place, keys?: readonly string[]): Obj {
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    this.#must(isObject, place, 'must be an object');
    if (!isObject) return {};
    for (const key of Object.keys(value)) this.#must(keys?.includes(key) ?? true, [...place, key], 'is not known');
    return Object.fromEntries(Object.entries(value));
  }

  #list(value: unknown, place: Place): readonly unknown[] {
    this.#must(Array.isArray(value), place, 'must be a list');
    return Array.isArray(value) ? value : [];
  }

  /** Whether it is a reference; one that is must lead somewhere and stand alone. */
  #isReference(value: Obj, place: Place, group: string): boolean {
    if (value.$ref === undefined) return false;
    const ref = String(value.$ref);
    this.#must(Object.keys(value).length === 1, place, 'a reference must stand alone');
    this.#must(ref.startsWith(`#/components/${group}/`), place, `${ref} does not lead to ${group}`);
    let target: unknown = this.#document;
    for (const part of ref.split('/').slice(1)) {
      target = typeof target === 'object' && target !== null ? Object.getOwnPropertyDescriptor(target, part)?.value : undefined;
    }
    this.#must(target !== undefined, place, `${ref} leads nowhere`);
    this.#used.add(ref);
    return true;
  }

  #paths(paths: Obj, tags: ReadonlySet<unknown>, schemes: ReadonlySet<string>): void {
    const shapes = new Map<string, string>();
    for (const [path, item] of Object.entries(paths)) {
      const place = ['paths', path];
      this.#must(/^(\/([\w.-]+|\{\w+\}))+$/.test(path), place, 'is not a path');
      const shape = path.replaceAll(/\{\w+\}/g, '{}');
      this.#must(!shapes.has(shape), place, `differs from ${shapes.get(shape)} in names of parameters only`);
      shapes.set(shape, path);
      const operations = Object.entries(this.#object(item, place, METHODS));
      this.#must(operations.length > 0, place, 'has no operation');
      for (const [method, operation] of operations) this.#operation(operation, [...place, method], path, tags, schemes);
    }
  }

  #operation(value: unknown, place: Place, path: string, tags: ReadonlySet<unknown>, schemes: ReadonlySet<string>): void {
    const keys = ['operationId', 'tags', 'summary', 'description', 'parameters', 'requestBody', 'responses', 'security'];
    const operation = this.#object(value, place, keys);
    const id = String(operation.operationId);
    this.#must(/^[A-Za-z]\w*$/.test(id), place, 'must have an operationId');
    this.#must(!this.#operationIds.has(id), place, `${id} is there twice`);
    this.#operationIds.add(id);
    this.#must(isText(operation.summary) && operation.summary !== '', place, 'must have a summary');
    const own = this.#list(operation.tags, [...place, 'tags']);
    this.#must(own.length === 1 && own.every((tag) => tags.has(tag)), place, 'must have one tag that is declared');
    this.#parameters(this.#list(operation.parameters, [...place, 'parameters']), [...place, 'parameters'], path);
    if (operation.requestBody !== undefined) {
      this.#must(!['get', 'delete'].includes(String(place.at(-1))), place, 'must not have a body');
      const body = this.#object(operation.requestBody, [...place, 'requestBody'], ['required', 'content']);
      this.#must(isFlag(body.required), place, 'must say whether the body is required');
      this.#content(body.content, [...place, 'requestBody']);
    }
    const responses = Object.entries(this.#object(operation.responses, [...place, 'responses']));
    this.#must(
      responses.some(([status]) => /^2\d\d$/.test(status)) && responses.some(([status]) => /^4\d\d$/.test(status)),
      place,
      'lacks responses',
    );
    for (const [status, response] of responses) {
      this.#must(/^[1-5]\d\d$/.test(status), [...place, status], 'is not a status');
      this.#response(response, [...place, status]);
    }
    for (const [at, one] of this.#list(operation.security, [...place, 'security']).entries()) {
      for (const [name, scopes] of Object.entries(this.#object(one, [...place, 'security', at]))) {
        this.#must(schemes.has(name), place, `there is no security scheme ${name}`);
        this.#must(Array.isArray(scopes) && scopes.length === 0, place, `${name} must have an empty list`);
      }
    }
  }

  #parameters(parameters: readonly unknown[], place: Place, path: string): void {
    const seen = new Set<string>();
    const inPath = new Set<unknown>();
    for (const [at, value] of parameters.entries()) {
      const parameter = this.#object(value, [...place, at], ['name', 'in', 'required', 'description', 'schema', 'content']);
      const key = `${parameter.in} ${parameter.name}`;
      this.#must(isText(parameter.name) && parameter.name !== '', [...place, at], 'must have a name');
      this.#must(['path', 'query', 'header'].includes(String(parameter.in)), [...place, at], 'must be in path, query or header');
      this.#must(!seen.has(key), [...place, at], `${key} is there twice`);
      seen.add(key);
      if (parameter.in === 'path') inPath.add(parameter.name);
      this.#must(parameter.in !== 'path' || parameter.required === true, [...place, at], 'must be required');
      this.#must((parameter.schema === undefined) !== (parameter.content === undefined), [...place, at], 'must have a schema or a content');
      if (parameter.schema !== undefined) this.#schema(parameter.schema, [...place, at, 'schema']);
      if (parameter.content !== undefined) this.#content(parameter.content, [...place, at]);
    }
    const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
    this.#must(named.length === inPath.size && named.every((name) => inPath.has(name)), place, `must be those of ${path}`);
  }

  #content(value: unknown, place: Place): void {
    const entries = Object.entries(this.#object(value, [...place, 'content']));
    this.#must(entries.length > 0, [...place, 'content'], 'must have a media type');
    for (const [type, media] of entries) {
      this.#must(/^[\w.+-]+\/[\w.+-]+$/.test(type), [...place, type], 'is not a media type');
      const { schema } = this.#object(media, [...place, type], ['schema']);
      if (schema !== undefined) this.#schema(schema, [...place, type, 'schema']);
    }
  }

  #response(value: unknown, place: Place): void {
    const response = this.#object(value, place, ['$ref', 'description', 'headers', 'content']);
    if (this.#isReference(response, place, 'responses')) return;
    this.#must(isText(response.description) && response.description !== '', place, 'must have a description');
    for (const [name, header] of Object.entries(this.#object(response.headers, place))) this.#header(header, [...place, name]);
    this.#content(response.content, place);
  }

  #header(value: unknown, place: Place): void {
    const header = this.#object(value, place, ['$ref', 'description', 'schema']);
    if (this.#isReference(header, place, 'headers')) return;
    this.#schema(header.schema, place);
  }

  #scheme(value: unknown, place: Place): void {
    const { type, in: where, name } = this.#object(value, place, ['type', 'in', 'name', 'description']);
    this.#must(type === 'apiKey' && ['query', 'header', 'cookie'].includes(String(where)) && isText(name), place, 'must be an apiKey');
  }

  #schema(value: unknown, place: Place): void {
    if (typeof value === 'boolean') return;
    const schema = this.#object(value, place);
    if (this.#isReference(schema, place, 'schemas')) return;
    for (const [key, inner] of Object.entries(schema)) this.#keyword(key, inner, [...place, key]);
    const { required, properties } = schema;
    if (!Array.isArray(required)) return;
    const known = this.#object(properties ?? {}, place);
    for (const name of required) this.#must(Object.hasOwn(known, String(name)), place, `requires ${name}, which it does not describe`);
  }

  #keyword(key: string, value: unknown, place: Place): void {
    switch (key) {
      case 'properties':
      case 'patternProperties':
        for (const [name, schema] of Object.entries(this.#object(value, place))) this.#schema(schema, [...place, name]);
        break;
      case 'items':
      case 'additionalProperties':
      case 'unevaluatedProperties':
      case 'not':
        this.#schema(value, place);
        break;
      case 'anyOf':
      case 'allOf':
      case 'oneOf': {
        const parts = this.#list(value, place);
        this.#must(parts.length > 0, place, 'must not be empty');
        for (const [at, schema] of parts.entries()) this.#schema(schema, [...place, at]);
        break;
      }
      default:
        this.#must(
          Object.hasOwn(PLAIN_KEYWORDS, key) && PLAIN_KEYWORDS[key]?.(value) === true,
          place,
          'is not a keyword with such a value',
        );
    }
  }
}
