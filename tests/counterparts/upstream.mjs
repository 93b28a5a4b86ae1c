// A customer's identity provider, by other authors (npm oidc-provider).
//
// Settings: {
//   port?:     number (0: any free one), host?: "127.0.0.1" or "localhost",
//   clients:   [{client_id, client_secret?, redirect_uris, token_endpoint_auth_method?, jwks?, jwks_uri?, …}],
//   accounts:  [{sub, email, name, email_verified?, username?, amr?, acr?, …further claims}],
//   signing?:  "RS256" | "PS256" | "ES256" | "EdDSA"   how ID tokens are signed unless the client says
// }
// Ready: {port, issuer}
// Answers: rotate {keep?: boolean} -> {kid: [...]}; new signing keys; `keep` also publishes the old ones.
//          accounts {accounts} -> null; from now on these people exist.
//          seen -> [{client_id, parameters}]; every authorization request that reached the login page.
import { createServer } from 'node:http';
import { generateKeyPair, exportJWK } from 'jose';
import Provider from 'oidc-provider';
import { settings, open, listen, page, escape } from './desk.mjs';

const asked = await settings;
const server = createServer((request, response) => handle(request, response));
const issuer = await listen(server, asked.port, asked.host);

const CLAIMS = {
  openid: ['sub', 'acr', 'amr', 'auth_time'],
  email: ['email', 'email_verified'],
  profile: ['name', 'given_name', 'family_name', 'preferred_username'],
  groups: ['groups'],
};

let accounts = asked.accounts ?? [];
let keys = await newKeys();
const seen = [];
let handle = serve();

open({ port: server.address().port, issuer }, {
  rotate: async ({ keep }) => {
    const fresh = await newKeys();
    keys = keep ? [...fresh, ...keys] : fresh;
    handle = serve();
    return { kid: keys.map((key) => key.kid) };
  },
  accounts: (request) => void (accounts = request.accounts),
  seen: () => seen,
});

/** One private key for each way of signing. */
async function newKeys() {
  const made = ['RS256', 'ES256', 'EdDSA'].map(async (alg) => {
    const pair = await generateKeyPair(alg, { extractable: true });
    // An RSA key signs RS256 and PS256 alike, so it names no algorithm.
    return { ...(await exportJWK(pair.privateKey)), kid: crypto.randomUUID(), use: 'sig', ...(alg === 'RS256' ? {} : { alg }) };
  });
  return Promise.all(made);
}

/** The provider with today's keys. What was granted yesterday is kept: oidc-provider's store is one per process. */
function serve() {
  const provider = new Provider(issuer, {
    clients: asked.clients.map((client) => ({ id_token_signed_response_alg: asked.signing ?? 'RS256', ...client })),
    jwks: { keys },
    cookies: { keys: ['a test has no secrets'] },
    claims: CLAIMS,
    scopes: ['openid', 'email', 'profile', 'groups', 'offline_access'],
    conformIdTokenClaims: false,
    findAccount,
    loadExistingGrant: consentToEverything,
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    features: { devInteractions: { enabled: false }, rpInitiatedLogout: { enabled: true } },
    pkce: { required: () => false },
    enabledJWA: { idTokenSigningAlgValues: ['RS256', 'PS256', 'ES256', 'EdDSA'] },
    ttl: { Interaction: 600, Session: 3600, Grant: 3600, AccessToken: 600, IdToken: 600, AuthorizationCode: 60 },
    renderError: (ctx, out) => {
      ctx.type = 'html';
      ctx.body = page('Something went wrong', `<p>${escape(out.error)}: ${escape(out.error_description)}</p>`);
    },
  });
  const callback = provider.callback();
  return (request, response) => {
    if (!request.url.startsWith('/interaction/')) return callback(request, response);
    return login(provider, request, response).catch((error) => reply(response, 400, page('Something went wrong', `<p>${escape(error.message)}</p>`)));
  };
}

function findAccount(_, sub) {
  const account = accounts.find((one) => one.sub === sub);
  return account && { accountId: sub, claims: () => ({ email_verified: true, ...account }) };
}

async function consentToEverything(ctx) {
  const { client, session, provider, params } = ctx.oidc;
  const known = session.grantIdFor(client.clientId);
  const grant = (known && (await provider.Grant.find(known))) || new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
  grant.addOIDCScope(params.scope ?? 'openid');
  grant.addOIDCClaims(Object.values(CLAIMS).flat());
  await grant.save();
  return grant;
}

/** The login page: GET shows it, POST signs in whoever is named, by `username`, email or sub. */
async function login(provider, request, response) {
  const interaction = await provider.interactionDetails(request, response);
  if (request.method === 'GET') {
    seen.push({ client_id: interaction.params.client_id, parameters: interaction.params });
    return reply(response, 200, loginPage(interaction.params.login_hint));
  }
  const form = new URLSearchParams(await read(request));
  if (form.has('cancel')) {
    const refusal = { error: 'access_denied', error_description: 'the person gave up' };
    return provider.interactionFinished(request, response, refusal);
  }
  const name = form.get('username');
  const account = accounts.find((one) => [one.username, one.email, one.sub].includes(name));
  if (!account) return reply(response, 200, loginPage(name, 'Nobody here has that name.'));
  const { sub, amr, acr } = account;
  return provider.interactionFinished(request, response, { login: { accountId: sub, amr, acr } });
}

function loginPage(hint, complaint) {
  return page('Sign in to your company', `
    ${complaint ? `<p role="alert">${escape(complaint)}</p>` : ''}
    <form method="post">
      <label for="username">Username</label>
      <input id="username" name="username" value="${escape(hint)}" autocomplete="username">
      <button type="submit">Sign in</button>
      <button type="submit" name="cancel" value="yes">Cancel</button>
    </form>`);
}

function reply(response, status, html) {
  response.writeHead(status, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' }).end(html);
}

async function read(stream) {
  let text = '';
  for await (const chunk of stream) text += chunk;
  return text;
}
