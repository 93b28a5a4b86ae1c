// A service provider by other authors (npm @node-saml/node-saml); each question brings its own settings.
//
// Settings: {}. Ready: {}.
// `saml` below is what node-saml calls its options: {issuer, callbackUrl, idpCert: PEM | [PEM], entryPoint?, logoutUrl?,
//   audience?, idpIssuer?, privateKey?, publicCert?, decryptionPvk?, wantAssertionsSigned?, wantAuthnResponseSigned?,
//   acceptedClockSkewMs? (-1: any time), signatureAlgorithm?, authnRequestBinding?: "HTTP-POST", …}
// Answers:
//   accept {saml, response (xml), request?: id} -> {issuer, nameID, nameIDFormat, sessionIndex, attributes, …}; with
//     `request` the response must answer it; an error if it is refused
//   authorize {saml, relay_state?} -> {url} or, with authnRequestBinding "HTTP-POST", {message: base64}
//   logout {saml, name_id, name_id_format, session_index?, relay_state?} -> {url}
//   answered {saml, query: {SAMLRequest | SAMLResponse, …}, raw: "SAMLRequest=…"} -> {profile, loggedOut}; a redirect
//   verified {xml, id, certificates: [PEM]} -> text or null; what the signature of this element signed
//   sign {xml, id, key: PEM, certificate: PEM} -> xml; the Signature follows the Issuer, as node-saml signs its requests
//   encrypt {xml, certificate: PEM, cipher: URI} -> xml; an EncryptedData, by what node-saml decrypts with
//   metadata {saml, signing?: PEM, decryption?: PEM} -> xml
import { SAML } from '@node-saml/node-saml';
import { getVerifiedXml, parseDomFromString, signXml, xpath } from '@node-saml/node-saml/lib/xml.js';
import { createPublicKey } from 'node:crypto';
import { promisify } from 'node:util';
import xmlenc from 'xml-encryption';
import { settings, open } from './desk.mjs';

await settings;

/** Remembers one request as if it had just been sent. */
const outstanding = (request) => ({
  saveAsync: async () => null,
  getAsync: async (id) => (id === request ? new Date().toISOString() : null),
  removeAsync: async (id) => id,
});

const provider = (saml, request) =>
  new SAML({
    signatureAlgorithm: 'sha256',
    digestAlgorithm: 'sha256',
    wantAssertionsSigned: false,
    wantAuthnResponseSigned: false,
    // It deflates what it posts otherwise, which no binding asks for.
    skipRequestCompression: saml.authnRequestBinding === 'HTTP-POST',
    ...(request && { validateInResponseTo: 'always', cacheProvider: outstanding(request) }),
    ...saml,
  });

open({}, {
  accept: async ({ saml, response, request }) => {
    const SAMLResponse = Buffer.from(response).toString('base64');
    const { profile } = await provider(saml, request).validatePostResponseAsync({ SAMLResponse });
    if (!profile) throw new Error('there is nobody in it');
    return profile;
  },
  authorize: async ({ saml, relay_state: state = '' }) => {
    const one = provider(saml);
    if (saml.authnRequestBinding !== 'HTTP-POST') return { url: await one.getAuthorizeUrlAsync(state, undefined, {}) };
    return { message: (await one.getAuthorizeMessageAsync(state, undefined, {})).SAMLRequest };
  },
  logout: async ({ saml, name_id: nameID, name_id_format: nameIDFormat, session_index: sessionIndex, relay_state: state = '' }) => ({
    url: await provider(saml).getLogoutUrlAsync({ nameID, nameIDFormat, sessionIndex }, state, {}),
  }),
  answered: ({ saml, query, raw }) => provider(saml).validateRedirectAsync(query, raw),
  verified: async ({ xml, id, certificates }) => {
    const [element] = xpath.selectElements(await parseDomFromString(xml), `//*[@ID='${id}']`);
    return getVerifiedXml(xml, element, certificates);
  },
  sign: ({ xml, id, key, certificate }) => {
    const element = `//*[@ID='${id}']`;
    const place = { reference: `${element}/*[local-name(.)='Issuer']`, action: 'after' };
    const how = { privateKey: key, publicCert: certificate, signatureAlgorithm: 'sha256', digestAlgorithm: 'sha256' };
    return signXml(xml, element, place, how);
  },
  encrypt: ({ xml, certificate, cipher }) =>
    promisify(xmlenc.encrypt)(xml, {
      pem: certificate,
      rsa_pub: createPublicKey(certificate).export({ type: 'spki', format: 'pem' }),
      encryptionAlgorithm: cipher,
      keyEncryptionAlgorithm: 'http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p',
    }),
  metadata: ({ saml, signing = null, decryption = null }) => provider(saml).generateServiceProviderMetadata(decryption, signing),
});
