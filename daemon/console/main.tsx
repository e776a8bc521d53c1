/** The entry of the console's page. */
import { render } from 'preact';
import { App } from './app.tsx';
import { begin } from './talk/session.ts';

const root = document.getElementById('app');
if (root === null) throw new Error('the page has no place for the console');
root.replaceChildren();
render(<App />, root);
void begin();
