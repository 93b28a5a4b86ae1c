//! By what a provider's word is believed: who may change that may become anybody who signs in by the connection
//! (threats C02).

use super::{OidcSettings, RequestSettings, SamlSettings, Settings, Upstream};

impl Settings {
    /// Whether the same word of the same provider says the same of the same person. What only decides how we ask, what
    /// people are shown makes no difference; whatever is not known to be harmless does. Nor does what becomes of who is
    /// new, which takes nothing from who is known: who may say that is asked apart.
    /// The secret by which we prove who we are is none of the settings, and leads to no other provider.
    pub fn believes_like(&self, other: &Self) -> bool {
        believed(&self.upstream) == believed(&other.upstream)
    }
}

/// The same with everything harmless alike.
fn believed(upstream: &Upstream) -> Upstream {
    match upstream {
        Upstream::Oidc(oidc) => Upstream::Oidc(Box::new(OidcSettings {
            scopes: Vec::new(),
            forward_login_hint: false,
            domain_hint_parameter: None,
            single_logout: false,
            ..(**oidc).clone()
        })),
        Upstream::Saml(saml) => Upstream::Saml(Box::new(of_saml(saml))),
    }
}

fn of_saml(saml: &SamlSettings) -> SamlSettings {
    let mut known = saml.clone();
    // When a document was read says nothing; who is believed because of it stands in `idp`.
    if let Some(metadata) = &mut known.metadata {
        metadata.digest.clear();
        metadata.read_at = crate::foundation::clock::Moment::from_millis(0);
        (metadata.valid_until, metadata.signed_until) = (None, None);
        metadata.withdrawn.clear();
    }
    // The format of the name stays: it says which names may be taken for the person.
    let RequestSettings { binding, force_authn, login_hint, signature, .. } = DULL;
    known.request = RequestSettings { binding, force_authn, login_hint, signature, ..known.request };
    for names in [
        &mut known.attributes.name,
        &mut known.attributes.given_name,
        &mut known.attributes.family_name,
        &mut known.attributes.locale,
    ] {
        names.clear();
    }
    (known.default_application, known.honours_session_end, known.single_logout) = (None, false, false);
    known.own = Default::default();
    known
}

const DULL: RequestSettings = RequestSettings {
    binding: super::RequestBinding::Redirect,
    force_authn: false,
    authn_context: None,
    name_id_format: None,
    scoping: Vec::new(),
    login_hint: super::LoginHint::None,
    signature: None,
};
