// A strict protocol client without a browser, by other authors (npm oauth4webapi and jose). The test carries the
// messages that a browser would carry.
//
// Settings: {issuer, client_id, client_secret?, redirect_uri, token_endpoint_auth_method?, alg? (RS256), scope?}
// Ready: {jwks}; `jwks` holds the key of private_key_jwt and of signed requests
// Answers: begin {parameters?, signed?, pushed?} -> {url, state, nonce}; where to send the person. The request can be
//              signed (RFC 9101) and pushed (RFC 9126)
//          finish {callback_url, access_token_audience?, signed?} ->
//              {claims, userinfo, token_response, access_token: {header, claims} or null when it is opaque};
//              `signed`: the answer must be a JWT (JARM)
//          refresh {parameters?} -> {claims or null, token_response}
//          machine {parameters?} -> the token response of client_credentials
//          introspect {token, signed?} -> what the issuer says of it; `signed` asks for a JWT (RFC 9701)
//          revoke {token} -> null
//          discovery -> the issuer's metadata
import * as oauth from 'oauth4webapi';
import { createRemoteJWKSet, decodeProtectedHeader, exportJWK, generateKeyPair, jwtVerify } from 'jose';
import { settings, open } from './desk.mjs';

const asked = { token_endpoint_auth_method: 'client_secret_basic', alg: 'RS256', scope: 'openid profile email', ...(await settings) };
const pair = await generateKeyPair('ES256', { extractable: true });
const jwks = { keys: [{ ...(await exportJWK(pair.publicKey)), kid: 'application', use: 'sig', alg: 'ES256' }] };

const loopback = { [oauth.allowInsecureRequests]: true };
const application = { client_id: asked.client_id, id_token_signed_response_alg: asked.alg, require_auth_time: false };
let metadata = null;
let begun = null;
let tokens = null;

open({ jwks }, { begin, finish, refresh, machine, introspect, revoke, discovery });

async function discovery() {
  const issuer = new URL(asked.issuer);
  metadata ??= await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, loopback));
  return metadata;
}

function authentication() {
  switch (asked.token_endpoint_auth_method) {
    case 'client_secret_basic': return oauth.ClientSecretBasic(asked.client_secret);
    case 'client_secret_post': return oauth.ClientSecretPost(asked.client_secret);
    case 'private_key_jwt': return oauth.PrivateKeyJwt({ key: pair.privateKey, kid: 'application' });
    case 'none': return oauth.None();
    default: throw new Error(`no such way to authenticate: ${asked.token_endpoint_auth_method}`);
  }
}

async function begin({ parameters = {}, signed = false, pushed = false }) {
  const server = await discovery();
  begun = { verifier: oauth.generateRandomCodeVerifier(), state: oauth.generateRandomState(), nonce: oauth.generateRandomNonce() };
  const url = new URL(server.authorization_endpoint);
  let query = {
    response_type: 'code',
    client_id: asked.client_id,
    redirect_uri: asked.redirect_uri,
    scope: asked.scope,
    state: begun.state,
    nonce: begun.nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(begun.verifier),
    code_challenge_method: 'S256',
    ...parameters,
  };
  if (signed) {
    const request = await oauth.issueRequestObject(server, application, query, { key: pair.privateKey, kid: 'application' });
    query = { client_id: asked.client_id, request };
  }
  if (pushed) {
    const answer = await oauth.pushedAuthorizationRequest(server, application, authentication(), query, loopback);
    const { request_uri } = await oauth.processPushedAuthorizationResponse(server, application, answer);
    query = { client_id: asked.client_id, request_uri };
  }
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  return { url: url.href, state: begun.state, nonce: begun.nonce };
}

async function finish({ callback_url, access_token_audience, signed = false }) {
  const server = await discovery();
  const { verifier, state, nonce } = begun;
  const back = new URL(callback_url);
  const parameters = signed
    ? await oauth.validateJwtAuthResponse(server, { ...application, authorization_signed_response_alg: asked.alg }, back, state, loopback)
    : oauth.validateAuthResponse(server, application, back, state);
  const answer = await oauth.authorizationCodeGrantRequest(
    server, application, authentication(), parameters, asked.redirect_uri, verifier, loopback);
  tokens = await oauth.processAuthorizationCodeResponse(server, application, answer, { expectedNonce: nonce, requireIdToken: true });
  // Without TLS the signature of an ID token is all that vouches for it, so it is checked as well.
  await oauth.validateApplicationLevelSignature(server, answer, loopback);
  const claims = oauth.getValidatedIdTokenClaims(tokens);
  return { claims, userinfo: await userinfo(claims.sub), token_response: tokens, access_token: await accessToken(access_token_audience) };
}

async function userinfo(subject) {
  const server = await discovery();
  const answer = await oauth.userInfoRequest(server, application, tokens.access_token, loopback);
  return oauth.processUserInfoResponse(server, application, subject, answer);
}

/** RFC 9068, section 4; null for an opaque token. */
async function accessToken(audience) {
  if (tokens.access_token.split('.').length !== 3) return null;
  const { issuer, jwks_uri } = await discovery();
  const keys = createRemoteJWKSet(new URL(jwks_uri));
  const { payload } = await jwtVerify(tokens.access_token, keys, { issuer, audience, typ: 'at+jwt' });
  return { header: decodeProtectedHeader(tokens.access_token), claims: payload };
}

async function refresh({ parameters }) {
  const server = await discovery();
  const further = { ...loopback, additionalParameters: parameters };
  const answer = await oauth.refreshTokenGrantRequest(server, application, authentication(), tokens.refresh_token, further);
  tokens = await oauth.processRefreshTokenResponse(server, application, answer);
  return { claims: oauth.getValidatedIdTokenClaims(tokens) ?? null, token_response: tokens };
}

async function machine({ parameters = {} }) {
  const server = await discovery();
  const answer = await oauth.clientCredentialsGrantRequest(server, application, authentication(), new URLSearchParams(parameters), loopback);
  return oauth.processClientCredentialsResponse(server, application, answer);
}

async function introspect({ token, signed = false }) {
  const server = await discovery();
  const answer = await oauth.introspectionRequest(
    server, application, authentication(), token, { ...loopback, requestJwtResponse: signed });
  const kind = { ...application, introspection_signed_response_alg: asked.alg };
  const told = await oauth.processIntrospectionResponse(server, kind, answer);
  if (signed) await oauth.validateApplicationLevelSignature(server, answer, loopback);
  return told;
}

async function revoke({ token }) {
  const server = await discovery();
  const answer = await oauth.revocationRequest(server, application, authentication(), token, loopback);
  await oauth.processRevocationResponse(answer);
  return null;
}
