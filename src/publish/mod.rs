//! What we tell the world about ourselves: discovery, keys, the files that pages refer to, what applications can ask
//! for, and how we are.

pub mod assets;
pub mod health;
pub mod home;
pub mod logos;
pub mod metadata;
pub mod oidc;
pub mod organizations;
pub mod saml;
