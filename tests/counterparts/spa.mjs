// An application that lives in a browser, by other authors (npm oidc-client-ts): one page, its script and nothing else.
//
// Settings: {host?: "127.0.0.1" or "localhost", client_id, issuer?, scope?}
// Ready: {origin, redirect_uri, silent_redirect_uri, post_logout_redirect_uri}
// Pages:   /          the application: buttons, and what came of the last one as JSON
//          /callback  completes a sign-in and goes back to /
//          /silent    the same in a frame that nobody sees
// Answers: broker {issuer} -> null
import { createServer } from 'node:http';
import { readFileSync } from 'node:fs';
import { settings, open, listen, page } from './desk.mjs';

const asked = { scope: 'openid profile email organization roles', ...(await settings) };
const library = readFileSync(new URL('./node_modules/oidc-client-ts/dist/browser/oidc-client-ts.min.js', import.meta.url));

const server = createServer(serve);
const origin = await listen(server, asked.port, asked.host);

open(
  { origin, redirect_uri: `${origin}/callback`, silent_redirect_uri: `${origin}/silent`, post_logout_redirect_uri: `${origin}/` },
  { broker: ({ issuer }) => void (asked.issuer = issuer) },
);

function serve(request, response) {
  const { pathname } = new URL(request.url, origin);
  const send = (type, body) => response.writeHead(200, { 'content-type': type, 'cache-control': 'no-store' }).end(body);
  switch (pathname) {
    case '/library.js': return send('text/javascript', library);
    case '/script.js': return send('text/javascript', script());
    case '/': return send('text/html', page('Pages', `${buttons}<pre id="told" role="status"></pre>${scripts}`));
    case '/callback': case '/silent': return send('text/html', page('Back', `<pre id="told" role="status"></pre>${scripts}`));
    default: return response.writeHead(404).end();
  }
}

const scripts = '<script src="/library.js"></script><script src="/script.js"></script>';
const buttons = ['Sign in', 'Refresh', 'Switch', 'Renew silently', 'User info', 'Revoke', 'Sign out']
  .map((name) => `<button type="button">${name}</button>`).join(' ') +
  '<label for="organization">Organization</label><input id="organization">';

/** What runs in the browser. */
function script() {
  const facts = { issuer: asked.issuer, client_id: asked.client_id, scope: asked.scope, origin };
  return `(${browser})(${JSON.stringify(facts)});`;
}

function browser(facts) {
  const manager = new oidc.UserManager({
    authority: facts.issuer,
    client_id: facts.client_id,
    scope: facts.scope,
    redirect_uri: `${facts.origin}/callback`,
    silent_redirect_uri: `${facts.origin}/silent`,
    post_logout_redirect_uri: `${facts.origin}/`,
    loadUserInfo: true,
    automaticSilentRenew: false,
    silentRequestTimeoutInSeconds: 8,
    userStore: new oidc.WebStorageStateStore({ store: window.sessionStorage }),
  });
  let turn = 0;
  const tell = (what, told) => {
    turn += 1;
    document.querySelector('#told').textContent = JSON.stringify({ turn, what, ...told });
  };
  const shown = (user) => user && {
    profile: user.profile, access_token: user.access_token, refresh_token: user.refresh_token, scope: user.scope,
  };
  const attempt = async (what, action) => {
    try {
      tell(what, { ok: await action() ?? null });
    } catch (error) {
      tell(what, { error: error.error ?? error.name, message: error.message });
    }
  };
  const organization = () => document.querySelector('#organization').value || undefined;
  // Only what a frame can do: no refresh token helps.
  const frame = () => manager.signinSilent({ forceIframeAuth: true, extraQueryParams: organization() ? { organization: organization() } : {} });
  const actions = {
    'Sign in': () => manager.signinRedirect({ extraQueryParams: organization() ? { organization: organization() } : {}, login_hint: 'con@a.test' }),
    'Refresh': async () => shown(await manager.signinSilent()),
    // The refresh token leads to another organization.
    'Switch': async () => shown(await manager.signinSilent({ extraTokenParams: { organization: organization() } })),
    'Renew silently': async () => shown(await frame()),
    'User info': async () => {
      const { access_token } = await manager.getUser();
      const metadata = await manager.metadataService.getMetadata();
      const answer = await fetch(metadata.userinfo_endpoint, { headers: { authorization: `Bearer ${access_token}` } });
      return { status: answer.status, body: await answer.json(), challenge: answer.headers.get('www-authenticate') };
    },
    'Revoke': async () => manager.revokeTokens(),
    'Sign out': () => manager.signoutRedirect(),
  };
  for (const button of document.querySelectorAll('button')) {
    button.addEventListener('click', () => attempt(button.textContent, actions[button.textContent]));
  }
  if (location.pathname === '/callback') {
    manager.signinRedirectCallback().then(
      () => location.replace('/'),
      (error) => tell('callback', { error: error.error ?? error.name, message: error.message }),
    );
  } else if (location.pathname === '/silent') {
    manager.signinSilentCallback();
  } else {
    manager.getUser().then((user) => tell('arrived', { ok: shown(user) }));
  }
}
