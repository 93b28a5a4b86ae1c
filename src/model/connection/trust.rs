//! By what a provider's word is believed: who may change that may become anybody who signs in by the connection
//! (threats C02).

use super::{
    IdpInitiated, Jit, NameIdFormat, OidcSettings, RequestSettings, SamlSettings, Settings, Upstream,
    WantedSignature, Wants,
};

/// What it takes for settings that were live before to come back with nobody who answers for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Return {
    /// That people fail by what is live: the same word is believed as much by both.
    Harmless,
    /// That it befalls people who are known: the same provider's word is read otherwise by them.
    OfTheKnown,
    /// Nothing is enough: they believe whom what is live does not believe, or they ask less. Who was taken away may be whom
    /// nobody should trust any more, and who was kept out may be meant to be.
    Asked,
}

impl Settings {
    /// Whether the same word of the same provider says the same of the same person. What only decides how we ask, what
    /// people are shown makes no difference; whatever is not known to be harmless does. Nor does what becomes of who is
    /// new, which takes nothing from who is known: who may say that is asked apart.
    /// The secret by which we prove who we are is none of the settings, and leads to no other provider.
    pub fn believes_like(&self, other: &Self) -> bool {
        believed(&self.upstream) == believed(&other.upstream)
    }

    /// Whether nobody answers for anything by making these live in the place of what is `live`: nobody else's word is
    /// believed by them, none with less, and they let in nobody who was not let in, nor as more.
    pub fn opens_no_more_than(&self, live: &Self) -> bool {
        let joins = |one: &Self| one.jit == Jit::CreateAndJoin;
        self.may_return(live) == Return::Harmless
            && (joins(live) || !joins(self))
            && self.default_roles.iter().all(|role| live.default_roles.contains(role))
            && self.assign_organizations.iter().all(|place| live.assign_organizations.contains(place))
    }

    /// Whether all whose word these believe are believed by the others, too.
    pub fn trusts_no_more(&self, others: &Self) -> bool {
        match (&self.upstream, &others.upstream) {
            (Upstream::Oidc(own), Upstream::Oidc(others)) => own.trusts_no_more(others),
            (Upstream::Saml(own), Upstream::Saml(others)) => own.trusts_no_more(others),
            _ => false,
        }
    }

    /// What it takes for these to take the place of what is `live`.
    pub fn may_return(&self, live: &Self) -> Return {
        let asks_enough = match (&self.upstream, &live.upstream) {
            (Upstream::Oidc(former), Upstream::Oidc(live)) => former.asks_no_less(live),
            (Upstream::Saml(former), Upstream::Saml(live)) => former.asks_no_less(live),
            _ => false,
        };
        match () {
            () if !self.trusts_no_more(live) || !asks_enough || self.leeway > live.leeway => Return::Asked,
            () if self.believes_like(live) => Return::Harmless,
            () => Return::OfTheKnown,
        }
    }
}

impl OidcSettings {
    /// Whether all whose word it believes are believed by `live`, too.
    fn trusts_no_more(&self, live: &Self) -> bool {
        (self.preset, &self.issuer, &self.endpoints, &self.client_id)
            == (live.preset, &live.issuer, &live.endpoints, &live.client_id)
            && self.algorithms.iter().all(|one| live.algorithms.contains(one))
    }

    /// Whether it has every rule of `live`.
    fn asks_no_less(&self, live: &Self) -> bool {
        live.required_claims.iter().all(|rule| self.required_claims.contains(rule))
            && (self.always_userinfo || !live.always_userinfo)
    }
}

impl SamlSettings {
    fn trusts_no_more(&self, live: &Self) -> bool {
        let keys = live.idp.key_names();
        let addresses: Vec<_> = live.idp.addresses().collect();
        (self.preset, &self.idp.entity_id, &self.subject) == (live.preset, &live.idp.entity_id, &live.subject)
            && self.read_from() == live.read_from()
            && self.idp.key_names().iter().all(|one| keys.contains(one))
            && self.idp.addresses().all(|one| addresses.contains(&one))
    }

    fn asks_no_less(&self, live: &Self) -> bool {
        let has_rule = |(name, wanted): (&String, &Vec<String>)| {
            let own = self.required_attributes.get(name);
            own.is_some_and(|own| own.iter().all(|value| wanted.contains(value)))
        };
        live.required_attributes.iter().all(has_rule)
            && self.wants.are_no_less_than(live.wants)
            && self.request.asks_no_less(&live.request)
            && unasked(self.idp_initiated) <= unasked(live.idp_initiated)
            && (self.honours_session_end || !live.honours_session_end)
            && (self.single_logout || !live.single_logout)
    }
}

impl Wants {
    fn are_no_less_than(self, live: Self) -> bool {
        let is_signed = live.signed == WantedSignature::Either
            || self.signed == WantedSignature::Both
            || self.signed == live.signed;
        is_signed && (self.encrypted || !live.encrypted)
    }
}

impl RequestSettings {
    /// What is asked for is what an answer must be like.
    fn asks_no_less(&self, live: &Self) -> bool {
        let is_any = matches!(live.name_id_format, None | Some(NameIdFormat::Unspecified));
        (is_any || self.name_id_format == live.name_id_format)
            && (live.authn_context.is_none() || self.authn_context == live.authn_context)
            && (self.force_authn || !live.force_authn)
    }
}

/// How far an answer leads that nobody asked for.
const fn unasked(how: IdpInitiated) -> u8 {
    match how {
        IdpInitiated::Off => 0,
        IdpInitiated::RoundTrip => 1,
        IdpInitiated::Accept => 2,
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
        metadata.given_at = metadata.read_at;
        (metadata.valid_until, metadata.dated_at, metadata.ends) = (None, None, None);
        (metadata.encryption, metadata.offer) = (None, None);
        (metadata.signed, metadata.dropped) = (false, Vec::new());
    }
    known.past = Default::default();
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
