/**
 * How all nodes are doing: this one answers by itself, the others are asked. One that is alive and does not answer is listed as such.
 *
 * It keeps CO30 (daemon/RULES.md).
 */
import { Compile } from 'typebox/compile';
import { errorText } from '../../../protocol/base/errors.ts';
import type { ListedNode, NodesList } from '../http/services.ts';
import type { NodeMail } from './node-mail.ts';
import { NodeState } from './node-state.ts';

const stateAnswer = Compile(NodeState);

export interface AllNodesOptions {
  /** This node, with its samples after a time in seconds. */
  readonly state: (after: number) => Promise<NodeState>;
  /** Undefined where there are no other nodes. */
  readonly mail: Pick<NodeMail, 'node' | 'ask'> | undefined;
  /** The other nodes that are alive. */
  readonly otherNodes: () => readonly string[];
}

export class AllNodes implements NodesList {
  readonly #options: AllNodesOptions;

  constructor(options: AllNodesOptions) {
    this.#options = options;
  }

  async list(after: number): Promise<readonly ListedNode[]> {
    const { state, mail, otherNodes } = this.#options;
    const here = state(after).then((found) => ({ name: mail?.node, isHere: true, state: found }));
    const others = mail === undefined ? [] : [...otherNodes()].sort().map((name) => nodeAt(mail, name, after));
    return await Promise.all([here, ...others]);
  }
}

/** Never rejects. */
async function nodeAt(mail: Pick<NodeMail, 'ask'>, name: string, after: number): Promise<ListedNode> {
  try {
    return { name, isHere: false, state: await mail.ask(name, { kind: 'state', after }, stateAnswer) };
  } catch (error) {
    return { name, isHere: false, error: errorText(error) };
  }
}
