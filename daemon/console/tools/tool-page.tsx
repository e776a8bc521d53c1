/** The tools: why an event was sent or not, what a resume would bring, whether a copy is stale. */
import { linkTo } from '../address.ts';
import { Heading } from '../parts/heading.tsx';
import { ComparePage } from './compare-page.tsx';
import { ResumePage } from './resume-page.tsx';
import { WhyPage } from './why-page.tsx';

const TOOLS = [
  ['why', 'Why was an event sent, or not?', 'Choose an event and a connection, open or ended lately: what decided is shown step by step.'],
  [
    'resume',
    'What would a resume bring?',
    'Give a position and subscriptions: nothing, these events, or a snapshot, and why; and how far back the history reaches.',
  ],
  ['compare', 'Is a copy stale?', 'Give what a copy holds: it is equal, or these users differ.'],
] as const;

/** `tool`: its name in the address; undefined for the list. */
export function ToolPage({ tool }: { readonly tool: string | undefined }) {
  if (tool === 'why') return <WhyPage />;
  if (tool === 'resume') return <ResumePage />;
  if (tool === 'compare') return <ComparePage />;
  return (
    <>
      <Heading title="Tools">Tools</Heading>
      <p>They answer questions about live connections and copies. None of them changes anything.</p>
      <ul class="cards">
        {TOOLS.map(([path, title, text]) => (
          <li key={path}>
            <p>
              <a href={linkTo(['tools', path])}>{title}</a>
            </p>
            <p class="hint">{text}</p>
          </li>
        ))}
      </ul>
    </>
  );
}
