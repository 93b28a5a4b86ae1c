//! How messages travel (SAML 2.0 Bindings).
