//! Whether a SAML connection can be used, and for how long.

use data_encoding::HEXLOWER;

use super::Findings;
use crate::broker::{Broker, Verdict};
use crate::model::connection::{
    ConnectionState, IdentityProvider, RENEW, SOON, SamlConnection, SpAddresses, Worry,
};
use crate::model::project::Project;
use crate::protocol::saml::keys::Certificate;
use crate::store::durable::engine::StoreError;
use crate::store::durable::{metadata_reads, saml_keys};

pub async fn check(
    broker: &Broker,
    project: &Project,
    connection: SamlConnection<'_>,
    findings: &mut Findings,
) -> Result<(), StoreError> {
    let what = format!("connection {}", connection.slug);
    let own = SpAddresses::of(&broker.issuer(project), connection.id);
    let told = format!(
        "{}; its provider needs the entity id {} (our metadata is there) and the assertion consumer service {}",
        connection.state, own.entity_id, own.acs
    );
    findings.fine(&what, told);
    let made = !saml_keys::kept(&mut &broker.db, project.id, broker.now()).await?.is_empty();
    if made || connection.secret.is_some() {
        own_keys(broker, &what, connection, findings).await;
    } else {
        // Asking for them would make them.
        findings.fine(&what, "our keys are not made yet; the first use makes them");
    }
    if !matches!(connection.state, ConnectionState::Active | ConnectionState::Testing) {
        return Ok(());
    }
    // A certificate that has expired takes no key away, so that is a warning; what cannot be used at all is not.
    match broker.saml_keys.idp(connection) {
        Ok(idp) => {
            let by = match idp.keys().len() {
                1 => "one key".to_owned(),
                many => format!("{many} keys"),
            };
            findings.fine(&what, format!("it believes {}, by {by}", idp.entity_id));
        }
        Err(why) => findings.wrong(&what, format!("nobody can sign in: {why}")),
    }
    certificates(broker, &what, &connection.saml.idp, findings);
    metadata(broker, &what, connection, findings).await
}

async fn own_keys(broker: &Broker, what: &str, connection: SamlConnection<'_>, findings: &mut Findings) {
    let Some(keys) =
        findings.judge(what, broker.saml_keys.of_connection(connection).await, |keys| {
            match keys.published.len() {
                1 => "our keys can be opened; one signing certificate is published".to_owned(),
                many => format!("our keys can be opened; {many} signing certificates are published"),
            }
        })
    else {
        return;
    };
    let own =
        [&keys.signing.certificate].into_iter().chain(keys.encrypt_to.first().map(|key| &key.certificate));
    for certificate in own.filter(|certificate| certificate.not_after() <= broker.now().plus(SOON)) {
        let how = format!(
            "our certificate {} is valid until {}: run `behalf key rotate --saml`, or bring the next one",
            shown(certificate),
            certificate.not_after().rfc3339()
        );
        findings.warn(what, how);
    }
}

fn certificates(broker: &Broker, what: &str, idp: &IdentityProvider, findings: &mut Findings) {
    let now = broker.now();
    for text in &idp.certificates {
        let certificate = match Certificate::from_base64(text) {
            Ok(certificate) => certificate,
            Err(error) => {
                findings.wrong(what, format!("a certificate of the provider cannot be used: {error}"));
                continue;
            }
        };
        let (name, until) = (shown(&certificate), certificate.not_after());
        let kind = certificate.verifying_key().kind();
        match Worry::about(&certificate, now) {
            Some(worry) => {
                findings.warn(what, format!("the provider's certificate {name} {worry}: {}", worry.advice()));
            }
            None => findings.fine(
                what,
                format!("the provider's certificate {name} ({kind}) is valid until {}", until.rfc3339()),
            ),
        }
    }
}

/// Whether the address still says what is known. Nothing is changed by asking.
async fn metadata(
    broker: &Broker,
    what: &str,
    connection: SamlConnection<'_>,
    findings: &mut Findings,
) -> Result<(), StoreError> {
    let (saml, now) = (connection.saml, broker.now());
    let Some(metadata) = &saml.metadata else { return Ok(()) };
    if let Some(until) = metadata.valid_until.filter(|until| *until <= now.plus(SOON)) {
        let told = format!("its metadata is valid until {}", until.rfc3339());
        match (saml.metadata_address(), until <= now) {
            // It is renewed by itself, unless reading it fails or brings nothing newer.
            (Some(_), _) if saml.running_out(now).is_none() => {}
            (Some(_), _) => findings.warn(what, format!("{told} only: {RENEW}")),
            (None, true) => findings.warn(what, format!("{told}: ask for a new file")),
            (None, false) => findings.warn(what, format!("{told} only: ask for a new file")),
        }
    }
    let Some(url) = saml.metadata_address() else { return Ok(()) };
    if let Some(turn) = metadata_reads::find(&mut &broker.db, connection.id).await?
        && let Some(failure) = turn.failure
    {
        let told =
            format!("reading {url} has failed {} times since {}", turn.failures, turn.read_at.rfc3339());
        findings.warn(what, format!("{told}: {failure}"));
    }
    match broker.saml_metadata.read_again(url, saml).await {
        Ok((described, Verdict { offer: Some(offer), .. })) => {
            let (old, new) = (told(&saml.idp), told(&described.idp));
            let how = format!(
                "{url} offers what nobody has confirmed, for {offer}: {new}, instead of {old}. Compare it with what the \
                 provider's administrator says; `behalf apply --read-metadata` takes it over, with --plan it shows it"
            );
            findings.warn(what, how);
        }
        // What nobody has signed says the same here.
        Ok((described, _)) if !described.signed || described.idp == saml.idp => {
            findings.fine(what, format!("{url} says the same"));
        }
        Ok((described, _)) => {
            let new = told(&described.idp);
            findings.warn(
                what,
                format!("{url} has changed, which the running server takes over by itself: {new}"),
            );
        }
        Err(error) => findings.wrong(what, format!("{url} cannot be had: {}", error.explained())),
    }
    Ok(())
}

/// What a document says that an operator has to compare.
fn told(idp: &IdentityProvider) -> String {
    let addresses: Vec<_> = idp.addresses().collect();
    format!("certificates {}; addresses {}", idp.fingerprints().join(", "), addresses.join(", "))
}

fn shown(certificate: &Certificate) -> String {
    HEXLOWER.encode(&certificate.fingerprint())
}
