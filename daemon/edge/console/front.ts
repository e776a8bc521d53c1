/** `GET /`: what this is, and where to go on. It keeps CO14 (daemon/RULES.md). */

/** What the first page names, as far as it is there for the one who asks. */
export interface FrontFacts {
  readonly hasConsole: boolean;
}

/** For programs. */
export function frontJson({ hasConsole }: FrontFacts): string {
  return JSON.stringify({
    name: 'rosterd',
    about: 'a self-hosted, real-time user directory',
    ...(hasConsole ? { console: 'console/' } : undefined),
    openapi: 'openapi.json',
    asyncapi: 'asyncapi.json',
    health: ['healthz', 'readyz'],
  });
}

/** For people. It has no style of its own where the console, whose style it uses, is not there. */
export function frontPage({ hasConsole }: FrontFacts): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>rosterd</title>
${hasConsole ? '<link rel="stylesheet" href="console/app.css">\n' : ''}</head>
<body class="front">
<main>
<h1>rosterd</h1>
<p>This is a user directory: it holds the users of an application, and sends every change of them to those who follow.</p>
${hasConsole ? CONSOLE : ''}<h2>First commands</h2>
<p>In the folder in which the daemon was started:</p>
<pre><code>echo '{"id":"ann","name":"Ann"}' | npx rosterd sync -   # bring in users
npx rosterd watch                                       # see every change as it happens
npx rosterd token ann                                   # a token for the client of ann</code></pre>
<h2>Documents</h2>
<ul>
<li><a href="openapi.json">HTTP endpoints</a> (OpenAPI)</li>
<li><a href="asyncapi.json">Live protocol</a> (AsyncAPI)</li>
</ul>
</main>
</body>
</html>
`;
}

const CONSOLE = `<h2>Console</h2>
<p>Look at users and change them in the <a href="console/">console</a>. This command prints a link that signs you in:</p>
<pre><code>npx rosterd console</code></pre>
`;

/** Whether the one who asks is a browser: programs do not ask for HTML by name. */
export function wantsPage(accept: string | undefined): boolean {
  return accept?.toLowerCase().includes('text/html') === true;
}
