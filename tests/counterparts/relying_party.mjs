// An application that signs people in, by other authors (npm openid-client).
//
// Settings: {
//   port?:          number (0: any free one), host?: "127.0.0.1" or "localhost",
//   issuer?:        string; may be told later
//   client_id:      string, client_secret?: string,
//   token_endpoint_auth_method?: "client_secret_basic" (default) | "client_secret_post" | "private_key_jwt" | "none",
//   id_token_signed_response_alg?: string (RS256),
//   scope?:         string ("openid profile email"),
// }
// Ready: {port, origin, redirect_uri, post_logout_redirect_uri, jwks}; `jwks` holds the key of private_key_jwt
// Pages:   /start?…      begins a login; every query parameter is passed on (organization, prompt, login_hint …)
//          /callback     completes it and shows {claims, userinfo, token_response} or {error} as JSON
//          /sign-out     sends the browser to the issuer's end-session endpoint
//          /signed-out   where that comes back to
// Answers: broker {issuer?, client_id?, client_secret?} -> null
//          result -> the last callback's {claims, userinfo, token_response}, {error} or null
//          refresh {parameters?} -> the like, from the last refresh token
//          userinfo, introspect, revoke {token?} -> as the issuer says; `token` is the last access token unless given
import { createServer } from 'node:http';
import * as client from 'openid-client';
import { exportJWK, generateKeyPair } from 'jose';
import { settings, open, listen, page, escape, explain } from './desk.mjs';

const asked = { token_endpoint_auth_method: 'client_secret_basic', scope: 'openid profile email', ...(await settings) };
const pair = await generateKeyPair('ES256', { extractable: true });
const jwks = { keys: [{ ...(await exportJWK(pair.publicKey)), kid: 'application', use: 'sig', alg: 'ES256' }] };

const server = createServer((request, response) => serve(request, response).catch((error) => fail(response, error)));
const origin = await listen(server, asked.port, asked.host);
const redirect_uri = `${origin}/callback`;
const post_logout_redirect_uri = `${origin}/signed-out`;

const begun = new Map();
let last = null;
let issuer = null;

open({ port: server.address().port, origin, redirect_uri, post_logout_redirect_uri, jwks }, {
  broker: (told) => {
    const { do: _, ...settings } = told;
    Object.assign(asked, settings);
    issuer = null;
  },
  result: () => last,
  refresh: async ({ parameters }) => {
    const tokens = await client.refreshTokenGrant(await discovered(), last.token_response.refresh_token, parameters);
    return (last = await outcome(tokens));
  },
  userinfo: async ({ token }) => client.fetchUserInfo(await discovered(), token ?? last.token_response.access_token, client.skipSubjectCheck),
  introspect: async ({ token }) => client.tokenIntrospection(await discovered(), token ?? last.token_response.access_token),
  revoke: async ({ token }) => client.tokenRevocation(await discovered(), token ?? last.token_response.access_token),
});

function authentication() {
  switch (asked.token_endpoint_auth_method) {
    case 'client_secret_basic': return client.ClientSecretBasic(asked.client_secret);
    case 'client_secret_post': return client.ClientSecretPost(asked.client_secret);
    case 'private_key_jwt': return client.PrivateKeyJwt({ key: pair.privateKey, kid: 'application' });
    case 'none': return client.None();
    default: throw new Error(`no such way to authenticate: ${asked.token_endpoint_auth_method}`);
  }
}

/** The issuer's own description of itself, fetched once. */
async function discovered() {
  const { client_id, id_token_signed_response_alg = 'RS256' } = asked;
  const loopback = { execute: [client.allowInsecureRequests] };
  issuer ??= await client.discovery(new URL(asked.issuer), client_id, { id_token_signed_response_alg }, authentication(), loopback);
  return issuer;
}

async function serve(request, response) {
  const url = new URL(request.url, origin);
  switch (url.pathname) {
    case '/start': return redirect(response, await begin(url.searchParams));
    case '/callback': return show(response, await complete(url));
    case '/sign-out': return redirect(response, await signOut());
    case '/signed-out': return html(response, 200, page('Signed out', ''));
    case '/jwks': return response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(jwks));
    default: return html(response, 404, page('No such page', ''));
  }
}

async function begin(further) {
  const config = await discovered();
  const [pkceCodeVerifier, expectedState, expectedNonce] = [client.randomPKCECodeVerifier(), client.randomState(), client.randomNonce()];
  const maxAge = further.has('max_age') ? Number(further.get('max_age')) : undefined;
  begun.set(expectedState, { pkceCodeVerifier, expectedState, expectedNonce, maxAge, idTokenExpected: true });
  return client.buildAuthorizationUrl(config, {
    redirect_uri,
    scope: asked.scope,
    state: expectedState,
    nonce: expectedNonce,
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
    ...Object.fromEntries(further),
  });
}

async function complete(url) {
  try {
    const checks = begun.get(url.searchParams.get('state'));
    begun.delete(url.searchParams.get('state'));
    if (!checks) throw new Error('a callback without a login that we began');
    last = await outcome(await client.authorizationCodeGrant(await discovered(), url, checks));
  } catch (error) {
    last = { error: explain(error) };
  }
  return last;
}

async function outcome(tokens) {
  const claims = tokens.claims() ?? last?.claims;
  const userinfo = await client.fetchUserInfo(await discovered(), tokens.access_token, claims.sub);
  return { claims, userinfo, token_response: { ...tokens } };
}

async function signOut() {
  const id_token_hint = last?.token_response?.id_token;
  return client.buildEndSessionUrl(await discovered(), { post_logout_redirect_uri, ...(id_token_hint && { id_token_hint }) });
}

function show(response, result) {
  const title = result.error ? 'Not signed in' : `Signed in as ${result.claims.email ?? result.claims.sub}`;
  html(response, 200, page(title, `<pre id="result">${escape(JSON.stringify(result, null, 2))}</pre>`));
}

const redirect = (response, url) => response.writeHead(302, { location: url.href, 'cache-control': 'no-store' }).end();
const html = (response, status, body) =>
  response.writeHead(status, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' }).end(body);
const fail = (response, error) =>
  html(response, 500, page('The application failed', `<pre id="result">${escape(JSON.stringify({ error: explain(error) }))}</pre>`));
