//! Whether the certificates of the settings can be used, and for how long.

use super::Findings;
use crate::broker::client_authorities::{ClientAuthorities, listed};
use crate::cli::tls::{Tls, ending};
use crate::config::Config;
use crate::foundation::clock::Clock;
use crate::protocol::oauth::client_certificate::ClientCertificate;

/// What the server would speak TLS with.
pub async fn tls(config: &Config, findings: &mut Findings) {
    let opened = Tls::open(config).await;
    let tls = match opened {
        Ok(Some(tls)) => tls,
        Ok(None) => return,
        Err(error) => return findings.wrong("TLS", error),
    };
    findings.fine("TLS", "certificate and key belong together");
    let Some(certificate) = tls.certificate() else {
        return findings.warn("TLS", "how long the certificate is valid cannot be read");
    };
    let (now, until) = (Clock::System.now(), certificate.not_after());
    match ending(until, now) {
        Some(told) if until <= now => findings.wrong("TLS", format!("the certificate {told}")),
        Some(told) => findings.warn("TLS", format!("the certificate {told}")),
        None if !certificate.is_valid_at(now) => findings.wrong("TLS", "the certificate is not valid yet"),
        None => findings.fine("TLS", format!("the certificate is valid until {}", until.rfc3339())),
    }
    let named = [
        ("server.public_url", Some(config.public_url())),
        ("client_certificates.public_url", config.client_certificates.public_url.clone()),
    ];
    let hosts = named.iter().filter_map(|(setting, url)| Some((setting, url.as_ref()?.host_str()?)));
    for (setting, host) in hosts.filter(|(_, host)| !tls.is_for(host)) {
        let how = format!(
            "the certificate is not for {host}, the host of {setting}: whoever comes straight to this server refuses it"
        );
        findings.warn("TLS", how);
    }
}

/// Who would vouch for clients; whether that can be used.
pub fn authorities(config: &Config, findings: &mut Findings) -> bool {
    let what = "authorities of clients";
    let Some(path) = &config.client_certificates.authorities else { return true };
    let opened = ClientAuthorities::open(Some(path)).and_then(|_| listed(path));
    let Some(listed) =
        findings.judge(what, opened, |all| format!("{} in {}", counted(all.len()), path.display()))
    else {
        return false;
    };
    let now = Clock::System.now();
    let certificates = listed.iter().map(|der| ClientCertificate::from_der(der));
    for (place, certificate) in (1..).zip(certificates) {
        let Some(until) = certificate.map(|one| one.not_after()).filter(|until| *until <= now) else {
            continue;
        };
        let how = format!(
            "number {place} in {} expired {}, and still vouches for clients: take it out, or put its successor there",
            path.display(),
            until.rfc3339()
        );
        findings.warn(what, how);
    }
    if !config.client_certificates.are_shown() {
        let how = "nobody can show a certificate: set client_certificates.proxies, or at_handshake where this server \
                   speaks TLS itself";
        findings.warn(what, how);
    }
    true
}

fn counted(authorities: usize) -> String {
    if authorities == 1 { "one authority".to_owned() } else { format!("{authorities} authorities") }
}
