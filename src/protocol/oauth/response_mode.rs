//! How an authorization response travels (OAuth 2.0 Multiple Response Type Encoding Practices, section 2.1; OAuth 2.0 Form
//! Post Response Mode; JWT Secured Authorization Response Mode, section 2.3).

use serde::{Deserialize, Serialize};

/// `response_mode` of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ResponseMode {
    #[default]
    #[serde(rename = "query")]
    Query,
    #[serde(rename = "fragment")]
    Fragment,
    #[serde(rename = "form_post")]
    FormPost,
    #[serde(rename = "query.jwt")]
    QueryJwt,
    #[serde(rename = "fragment.jwt")]
    FragmentJwt,
    #[serde(rename = "form_post.jwt")]
    FormPostJwt,
}

/// By what the browser carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    Query,
    Fragment,
    Form,
}

impl ResponseMode {
    pub const ALL: [Self; 6] =
        [Self::Query, Self::Fragment, Self::FormPost, Self::QueryJwt, Self::FragmentJwt, Self::FormPostJwt];

    /// Those that an application may ask for unless it is told otherwise. In a fragment a code never comes to a server that
    /// waits for it in the query: it stays in the address of a page, unused, for whatever script runs there.
    pub const USUAL: [Self; 4] = [Self::Query, Self::FormPost, Self::QueryJwt, Self::FormPostJwt];

    /// What `response_modes_supported` says.
    pub const WORDS: [&str; 7] =
        ["query", "fragment", "form_post", "query.jwt", "fragment.jwt", "form_post.jwt", "jwt"];

    pub const fn word(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Fragment => "fragment",
            Self::FormPost => "form_post",
            Self::QueryJwt => "query.jwt",
            Self::FragmentJwt => "fragment.jwt",
            Self::FormPostJwt => "form_post.jwt",
        }
    }

    /// `jwt` is the usual way of the response type, which here is `code` (JARM, section 2.3.4).
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "jwt" => Some(Self::QueryJwt),
            word => Self::ALL.into_iter().find(|mode| mode.word() == word),
        }
    }

    pub const fn carrier(self) -> Carrier {
        match self {
            Self::Query | Self::QueryJwt => Carrier::Query,
            Self::Fragment | Self::FragmentJwt => Carrier::Fragment,
            Self::FormPost | Self::FormPostJwt => Carrier::Form,
        }
    }

    pub const fn is_signed(self) -> bool {
        matches!(self, Self::QueryJwt | Self::FragmentJwt | Self::FormPostJwt)
    }

    /// Whether it can reach this address: only a server of the web takes a form.
    pub fn reaches(self, redirect_uri: &str) -> bool {
        let is_web = redirect_uri.starts_with("https://") || redirect_uri.starts_with("http://");
        is_web || self.carrier() != Carrier::Form
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_mode_is_found_by_its_word_and_jwt_is_the_signed_query() {
        for mode in ResponseMode::ALL {
            assert_eq!(ResponseMode::from_word(mode.word()), Some(mode));
            assert_eq!(serde_json::to_value(mode).unwrap(), mode.word());
        }
        assert_eq!(ResponseMode::from_word("jwt"), Some(ResponseMode::QueryJwt));
        assert!(ResponseMode::WORDS.into_iter().all(|word| ResponseMode::from_word(word).is_some()));
        assert_eq!(ResponseMode::from_word("web_message"), None);
        assert!(!ResponseMode::FormPost.reaches("com.example:/cb"));
        assert!(ResponseMode::Fragment.reaches("com.example:/cb"));
    }
}
