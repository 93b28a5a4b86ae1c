//! How messages travel (SAML 2.0 Bindings): in the query of a redirect, or in a form.

pub mod post;
pub mod redirect;

pub use redirect::{MAX_ECHO, RedirectMessage, redirect_url};

/// Which of the two a message is; the parameter that carries it is named after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carried {
    Request,
    Response,
}

impl Carried {
    pub fn parameter(self) -> &'static str {
        match self {
            Self::Request => "SAMLRequest",
            Self::Response => "SAMLResponse",
        }
    }
}

/// Why a message does not arrive, or cannot leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BindingError {
    #[error("the message is larger than is allowed")]
    TooLarge,
    #[error("the parameter {0} is missing")]
    Missing(&'static str),
    #[error("the parameter {0} stands more than once, or is disguised")]
    Ambiguous(&'static str),
    #[error("there is a SAMLRequest and a SAMLResponse")]
    Both,
    #[error("the parameter {0} is not in percent-encoded UTF-8")]
    Percent(&'static str),
    #[error("the parameter {0} is not base64")]
    Base64(&'static str),
    #[error("the message is compressed by something other than DEFLATE")]
    Encoding,
    #[error("the message is not one whole DEFLATE stream")]
    Deflate,
    #[error("the address cannot carry a message")]
    Location,
    #[error("the RelayState is longer than is allowed")]
    RelayState,
    #[error("the message cannot be signed")]
    Signing,
}
