use super::provider::Provider;
use super::saml::SamlProvider;

/// Whoever signs people in.
#[derive(Clone, Copy)]
pub enum Upstream<'a> {
    Oidc(&'a Provider),
    Saml(&'a SamlProvider),
}

impl<'a> Upstream<'a> {
    pub fn issuer(self) -> &'a str {
        match self {
            Self::Oidc(provider) => &provider.issuer,
            Self::Saml(provider) => &provider.entity_id,
        }
    }
}

impl<'a> From<&'a Provider> for Upstream<'a> {
    fn from(provider: &'a Provider) -> Self {
        Self::Oidc(provider)
    }
}

impl<'a> From<&'a SamlProvider> for Upstream<'a> {
    fn from(provider: &'a SamlProvider) -> Self {
        Self::Saml(provider)
    }
}
