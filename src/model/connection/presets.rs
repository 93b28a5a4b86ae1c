//! What is known of well-known SAML identity providers.
