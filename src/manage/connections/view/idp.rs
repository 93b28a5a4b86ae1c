//! How a SAML identity provider is shown: who it is, what of it is believed, and what somebody should see to.

use schemars::JsonSchema;
use serde::Serialize;

use crate::foundation::clock::Moment;
use crate::model::connection::{
    IdentityProvider, OFFERED, RENEW, SamlSettings, ServiceEndpoint, Settings, Upstream, Worry, fingerprint,
    key_name,
};
use crate::protocol::saml::keys::Certificate;

/// A SAML identity provider, as it is known: typed, or read in its metadata.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct IdpView {
    pub idp_entity_id: Option<String>,
    pub idp_redirect_url: Option<String>,
    pub idp_post_url: Option<String>,
    pub idp_slo_url: Option<String>,
    pub idp_slo_post_url: Option<String>,
    pub certificates: Vec<CertificateView>,
    /// Of a draft, which certificates are others than those that are live. What is wrong with the certificates themselves,
    /// whose keys count all the same; which keys of its metadata are of no use; and that its metadata, read at an
    /// address, is about to run out, after which nobody can sign in, or says something that waits for somebody.
    pub warnings: Vec<String>,
    /// When its metadata was read; `null`: it was typed.
    #[schemars(extend("format" = "date-time"))]
    pub metadata_read_at: Option<String>,
    #[schemars(extend("format" = "date-time"))]
    pub metadata_valid_until: Option<String>,
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct CertificateView {
    /// Base64 of DER.
    pub x509: String,
    /// SHA-256, in hexadecimal digits.
    pub fingerprint: String,
    #[schemars(extend("format" = "date-time"))]
    pub not_before: Option<String>,
    #[schemars(extend("format" = "date-time"))]
    pub not_after: Option<String>,
}

pub fn idp(settings: &Settings, now: Moment) -> Option<IdpView> {
    let Upstream::Saml(saml) = &settings.upstream else { return None };
    let SamlSettings { idp, metadata, own, .. } = saml.as_ref();
    let warning =
        |(fingerprint, worry): (String, Worry)| format!("{fingerprint} {worry}: {}", worry.advice());
    let ends = saml
        .running_out(now)
        .map(|until| format!("its metadata is valid until {} only: {RENEW}", until.rfc3339()));
    let offer = metadata.as_ref().and_then(|metadata| metadata.offer.as_ref());
    let offer = offer.map(|why| format!("its metadata offers what nobody has confirmed: {why}; {OFFERED}"));
    let dropped = metadata.iter().flat_map(|metadata| &metadata.dropped);
    let dropped = dropped.map(|why| format!("its metadata lists what is not used: {why}"));
    let ours = own.worries(now).into_iter().map(|(fingerprint, worry)| {
        format!("our own certificate {fingerprint} {worry}: bring its successor, and show it to the provider")
    });
    let theirs = idp.worries(now).into_iter().map(warning);
    let warnings = ends.into_iter().chain(offer).chain(dropped).chain(theirs).chain(ours).collect();
    let IdentityProvider { entity_id, sso, slo, certificates } = idp.clone();
    let location = |endpoint: Option<ServiceEndpoint>| endpoint.map(|it| it.location);
    Some(IdpView {
        idp_entity_id: entity_id,
        idp_redirect_url: location(sso.redirect),
        idp_post_url: location(sso.post),
        idp_slo_url: location(slo.redirect),
        idp_slo_post_url: location(slo.post),
        certificates: certificates.into_iter().map(certificate).collect(),
        warnings,
        metadata_read_at: metadata.as_ref().map(|metadata| metadata.read_at.rfc3339()),
        metadata_valid_until: metadata
            .as_ref()
            .and_then(|metadata| metadata.valid_until)
            .map(|at| at.rfc3339()),
    })
}

/// What whoever makes a draft live should compare with what the provider's administrator says (threats M15).
pub fn other_certificates(live: &Settings, draft: &Settings) -> Vec<String> {
    let (Upstream::Saml(live), Upstream::Saml(draft)) = (&live.upstream, &draft.upstream) else {
        return Vec::new();
    };
    // A certificate is the case of a key: a renewed one changes nothing of what is believed.
    let others = |these: &IdentityProvider, those: &IdentityProvider| {
        let keys = those.key_names();
        let other = these.certificates.iter().filter(|one| !keys.contains(&key_name(one)));
        other.map(|one| fingerprint(one)).collect::<Vec<_>>()
    };
    let new = others(&draft.idp, &live.idp).into_iter().map(|one| {
        format!("{one} is not believed yet: compare it with what the provider's administrator says")
    });
    let gone = others(&live.idp, &draft.idp)
        .into_iter()
        .map(|one| format!("{one} is believed now, and no longer once this is live"));
    new.chain(gone).collect()
}

fn certificate(x509: String) -> CertificateView {
    let read = Certificate::from_base64(&x509).ok();
    let not_before = read.as_ref().map(|read| read.not_before().rfc3339());
    let not_after = read.map(|read| read.not_after().rfc3339());
    CertificateView { fingerprint: fingerprint(&x509), not_before, not_after, x509 }
}
