// A client that registers itself, by other authors (npm openid-client and oauth4webapi).
//
// Settings: {issuer, initial_access_token, metadata}
// Ready: {}
// Answers: register -> the client's metadata as openid-client takes it up
//          begin {parameters?} -> {url}; where to send the person
//          finish {callback_url} -> {claims, userinfo}
//          strictly {initial_access_token} -> the like of register, checked by oauth4webapi
import * as client from 'openid-client';
import * as oauth from 'oauth4webapi';
import { settings, open } from './desk.mjs';

const asked = await settings;
let config = null;
let checks = null;

open({}, { register, begin, finish, strictly });

async function register() {
  const options = { initialAccessToken: asked.initial_access_token, execute: [client.allowInsecureRequests] };
  // What nobody says is client_secret_basic (RFC 7591, section 2), whatever a library takes for usual.
  const ways = { none: client.None(), client_secret_post: client.ClientSecretPost() };
  const way = ways[asked.metadata.token_endpoint_auth_method] ?? client.ClientSecretBasic();
  config = await client.dynamicClientRegistration(new URL(asked.issuer), asked.metadata, way, options);
  return config.clientMetadata();
}

async function begin({ parameters = {} }) {
  checks = { pkceCodeVerifier: client.randomPKCECodeVerifier(), expectedState: client.randomState(), expectedNonce: client.randomNonce(), idTokenExpected: true };
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri: asked.metadata.redirect_uris[0],
    scope: config.clientMetadata().scope,
    state: checks.expectedState,
    nonce: checks.expectedNonce,
    code_challenge: await client.calculatePKCECodeChallenge(checks.pkceCodeVerifier),
    code_challenge_method: 'S256',
    ...parameters,
  });
  return { url: url.href };
}

async function finish({ callback_url }) {
  const tokens = await client.authorizationCodeGrant(config, new URL(callback_url), checks);
  const claims = tokens.claims();
  const userinfo = await client.fetchUserInfo(config, tokens.access_token, claims.sub);
  return { claims, userinfo };
}

async function strictly({ initial_access_token }) {
  const loopback = { [oauth.allowInsecureRequests]: true };
  const issuer = new URL(asked.issuer);
  const server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, loopback));
  const answer = await oauth.dynamicClientRegistrationRequest(server, asked.metadata, { ...loopback, initialAccessToken: initial_access_token });
  return oauth.processDynamicClientRegistrationResponse(answer);
}
