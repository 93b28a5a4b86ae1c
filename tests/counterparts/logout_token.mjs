// A client library's look at a logout token, by other authors (npm jose).
//
// Settings: {}
// Ready: {}
// Answers: verify {token, jwks_uri, issuer, audience, typ, at: seconds} -> the claims.
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { settings, open } from './desk.mjs';

await settings;
open({}, {
  verify: async ({ token, jwks_uri, issuer, audience, typ, at }) => {
    const keys = createRemoteJWKSet(new URL(jwks_uri));
    const { payload } = await jwtVerify(token, keys, {
      issuer, audience, typ, currentDate: new Date(at * 1000), requiredClaims: ['iat', 'exp', 'jti', 'events'],
    });
    return payload;
  },
});
