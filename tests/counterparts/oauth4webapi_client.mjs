// A strict protocol client without a browser, by other authors (npm oauth4webapi and jose). The test carries the
// messages that a browser would carry.
//
// Settings: {issuer, client_id, client_secret?, redirect_uri, token_endpoint_auth_method?, alg? (RS256), scope?,
//            userinfo_signed_response_alg?, dpop? (false), proves with each request that it holds a key}
// Ready: {jwks, jkt}; `jwks` holds the key of private_key_jwt and of signed requests, `jkt` is the thumbprint of the key of
//              `dpop`
// Answers: begin {parameters?, signed?, pushed?} -> {url, state, nonce}; where to send the person. The request can be
//              signed (RFC 9101) and pushed (RFC 9126)
//          finish {callback_url, access_token_audience?, signed?} ->
//              {claims, userinfo, token_response, access_token: {header, claims} or null when it is opaque};
//              `signed`: the answer must be a JWT (JARM)
//          refresh {parameters?} -> {claims or null, token_response}
//          machine {parameters?} -> the token response of client_credentials
//          device {parameters?} -> what a device is told that asks to be let in (RFC 8628)
//          poll {} -> {claims or null, token_response}; asks whether it has been
//          exchange {parameters} -> the token response of a token exchange (RFC 8693)
//          introspect {token, signed?} -> what the issuer says of it; `signed` asks for a JWT (RFC 9701)
//          revoke {token} -> null
//          nonces -> how often it was asked for a nonce since it started
//          discovery -> the issuer's metadata
import * as oauth from 'oauth4webapi';
import { createRemoteJWKSet, decodeProtectedHeader, exportJWK, generateKeyPair, jwtVerify } from 'jose';
import { settings, open } from './desk.mjs';

const asked = { token_endpoint_auth_method: 'client_secret_basic', alg: 'RS256', scope: 'openid profile email', ...(await settings) };
const pair = await generateKeyPair('ES256', { extractable: true });
const jwks = { keys: [{ ...(await exportJWK(pair.publicKey)), kid: 'application', use: 'sig', alg: 'ES256' }] };

const loopback = { [oauth.allowInsecureRequests]: true };
const application = {
  client_id: asked.client_id,
  id_token_signed_response_alg: asked.alg,
  userinfo_signed_response_alg: asked.userinfo_signed_response_alg,
  require_auth_time: false,
};
let metadata = null;
let begun = null;
let tokens = null;
let waits = null;

// One key for all that is asked for; absent: nothing is proved.
const DPoP = asked.dpop ? oauth.DPoP(application, await oauth.generateKeyPair('ES256')) : undefined;
const bound = { ...loopback, DPoP };
let nonces = 0;

open({ jwks, jkt: await DPoP?.calculateThumbprint() }, { begin, finish, refresh, machine, device, poll, exchange, introspect, revoke, discovery, nonces: () => nonces });

/** Sends and reads; once more where it is told to use a nonce (RFC 9449, section 8), which the library has kept. */
async function withNonce(send, read) {
  try {
    return await read(await send());
  } catch (error) {
    if (!oauth.isDPoPNonceError(error)) throw error;
    nonces += 1;
    return read(await send());
  }
}

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
  let answer;
  tokens = await withNonce(
    async () => (answer = await oauth.authorizationCodeGrantRequest(
      server, application, authentication(), parameters, asked.redirect_uri, verifier, bound)),
    () => oauth.processAuthorizationCodeResponse(server, application, answer, { expectedNonce: nonce, requireIdToken: true }));
  // Without TLS the signature of an ID token is all that vouches for it, so it is checked as well.
  await oauth.validateApplicationLevelSignature(server, answer, loopback);
  const claims = oauth.getValidatedIdTokenClaims(tokens);
  return { claims, userinfo: await userinfo(claims.sub), token_response: tokens, access_token: await accessToken(access_token_audience) };
}

async function userinfo(subject) {
  const server = await discovery();
  let answer;
  const told = await withNonce(
    async () => answer = await oauth.userInfoRequest(server, application, tokens.access_token, bound),
    (one) => oauth.processUserInfoResponse(server, application, subject, one));
  if (asked.userinfo_signed_response_alg) await oauth.validateApplicationLevelSignature(server, answer, loopback);
  return told;
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
  const further = { ...bound, additionalParameters: parameters };
  tokens = await withNonce(
    () => oauth.refreshTokenGrantRequest(server, application, authentication(), tokens.refresh_token, further),
    (answer) => oauth.processRefreshTokenResponse(server, application, answer));
  return { claims: oauth.getValidatedIdTokenClaims(tokens) ?? null, token_response: tokens };
}

async function machine({ parameters = {} }) {
  const server = await discovery();
  return withNonce(
    () => oauth.clientCredentialsGrantRequest(server, application, authentication(), new URLSearchParams(parameters), bound),
    (answer) => oauth.processClientCredentialsResponse(server, application, answer));
}

async function device({ parameters = {} }) {
  const server = await discovery();
  const query = new URLSearchParams({ scope: asked.scope, ...parameters });
  const answer = await oauth.deviceAuthorizationRequest(server, application, authentication(), query, loopback);
  waits = await oauth.processDeviceAuthorizationResponse(server, application, answer);
  return waits;
}

async function poll() {
  const server = await discovery();
  const answer = await oauth.deviceCodeGrantRequest(server, application, authentication(), waits.device_code, loopback);
  tokens = await oauth.processDeviceCodeResponse(server, application, answer);
  if (tokens.id_token) await oauth.validateApplicationLevelSignature(server, answer, loopback);
  return { claims: oauth.getValidatedIdTokenClaims(tokens) ?? null, token_response: tokens };
}

async function exchange({ parameters }) {
  const server = await discovery();
  const kind = 'urn:ietf:params:oauth:grant-type:token-exchange';
  const answer = await oauth.genericTokenEndpointRequest(server, application, authentication(), kind, parameters, loopback);
  return oauth.processGenericTokenEndpointResponse(server, application, answer);
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
