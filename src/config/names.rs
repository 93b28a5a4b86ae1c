//! The one list of settings, drawn from the structures themselves: keys, kinds, environment variables.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::LazyLock;

use toml::{Table, Value};

use super::Config;
use super::sections::{
    ClientCertificates, Database, Dns, Egress, Keys, Login, Mail, Manage, Pages, Server, Telemetry, Tokens,
};

/// Short forms of two variables.
pub(super) const SHORT_FORMS: [(&str, &str, &str); 2] =
    [("BEHALF_LISTEN", "server", "listen"), ("BEHALF_PUBLIC_URL", "server", "public_url")];

/// A value of the right kind for every setting: its default, or an example where it has none.
/// The structures are taken apart field by field, so that a new optional setting cannot be forgotten.
fn every_setting() -> Config {
    let Server {
        listen,
        public_url: _,
        trusted_proxies,
        tls_certificate: _,
        tls_key: _,
        request_timeout,
        header_timeout,
        shutdown_timeout,
        max_body,
        max_connections,
    } = Server::default();
    let ClientCertificates { header, format, proxies, at_handshake, authorities: _, public_url: _ } =
        ClientCertificates::default();
    let Database { url, connections, statement_timeout } = Database::default();
    let Keys { folder, signing_key_lifetime, publish_ahead, master_key } = Keys::default();
    let Login { flow_lifetime, session_lifetime, flows_per_minute, notice_interval } = Login::default();
    let Dns { resolvers, timeout, recheck_interval } = Dns::default();
    let Egress { allow_loopback_and_http, extra_ca: _, ports, connect_timeout, total_timeout, max_response } =
        Egress::default();
    let Mail {
        server: _,
        port,
        security,
        username: _,
        password_file: _,
        from: _,
        timeout: mail_timeout,
        interval,
        password,
    } = Mail::default();
    let Pages { templates: _ } = Pages::default();
    let Manage { default_organization: _, deletion_grace } = Manage::default();
    let Telemetry { log_format, log_filter, metrics_networks, otlp_endpoint: _ } = Telemetry::default();
    Config {
        server: Server {
            listen,
            public_url: "https://login.example.com".parse().ok(),
            trusted_proxies,
            tls_certificate: Some(PathBuf::from("/etc/behalf/tls.crt")),
            tls_key: Some(PathBuf::from("/etc/behalf/tls.key")),
            request_timeout,
            header_timeout,
            shutdown_timeout,
            max_body,
            max_connections,
        },
        client_certificates: ClientCertificates {
            header,
            format,
            proxies,
            at_handshake,
            authorities: Some(PathBuf::from("/etc/behalf/clients.pem")),
            public_url: "https://mtls.login.example.com".parse().ok(),
        },
        database: Database { url, connections, statement_timeout },
        keys: Keys { folder, signing_key_lifetime, publish_ahead, master_key },
        login: Login { flow_lifetime, session_lifetime, flows_per_minute, notice_interval },
        tokens: Tokens::default(),
        dns: Dns { resolvers, timeout, recheck_interval },
        egress: Egress {
            allow_loopback_and_http,
            extra_ca: Some(PathBuf::from("/etc/behalf/ca.pem")),
            ports,
            connect_timeout,
            total_timeout,
            max_response,
        },
        mail: Mail {
            server: Some("mail.example.com".to_owned()),
            port,
            security,
            username: Some("behalf".to_owned()),
            password_file: Some(PathBuf::from("/etc/behalf/mail.password")),
            from: Some("no-reply@login.example.com".to_owned()),
            timeout: mail_timeout,
            interval,
            password,
        },
        pages: Pages { templates: Some(PathBuf::from("templates")) },
        manage: Manage { default_organization: Some("my-company".to_owned()), deletion_grace },
        telemetry: Telemetry {
            log_format,
            log_filter,
            metrics_networks,
            otlp_endpoint: "http://127.0.0.1:4318".parse().ok(),
        },
        origins: BTreeMap::new(),
    }
}

static SETTINGS: LazyLock<Table> = LazyLock::new(|| as_table(&every_setting()));

/// The settings as TOML would say them; optional ones that are not set are left out.
pub(super) fn as_table(config: &Config) -> Table {
    Table::try_from(config).unwrap_or_default()
}

pub(super) fn sections() -> impl Iterator<Item = &'static str> {
    SETTINGS.keys().map(String::as_str)
}

/// The keys of a section with a sample of each; nothing for an unknown section.
pub(super) fn keys_of(section: &str) -> impl Iterator<Item = (&'static str, &'static Value)> {
    SETTINGS
        .get(section)
        .and_then(Value::as_table)
        .into_iter()
        .flatten()
        .map(|(key, value)| (key.as_str(), value))
}

/// Every setting as `(section, key)`, with a sample value.
pub(super) fn every_sample() -> impl Iterator<Item = (&'static str, &'static str, &'static Value)> {
    sections().flat_map(|section| keys_of(section).map(move |(key, sample)| (section, key, sample)))
}

/// Every setting as `(section, key)`.
pub fn every_key() -> impl Iterator<Item = (&'static str, &'static str)> {
    every_sample().map(|(section, key, _)| (section, key))
}

/// The environment variable of a setting: `server.max_body` is `BEHALF_SERVER_MAX_BODY`.
pub fn variable_of(section: &str, key: &str) -> String {
    format!("BEHALF_{section}_{key}").to_ascii_uppercase()
}

/// The candidate that somebody who wrote `name` most likely meant.
pub(super) fn closest<T: AsRef<str>>(name: &str, candidates: impl Iterator<Item = T>) -> Option<String> {
    let tolerated = (name.len() / 3).clamp(1, 3);
    candidates
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate.as_ref()), candidate))
        .filter(|(distance, _)| *distance <= tolerated)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate.as_ref().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_a_setting_with_a_variable_of_its_own() {
        let variables: std::collections::BTreeSet<_> =
            every_key().map(|(section, key)| variable_of(section, key)).collect();
        assert_eq!(variables.len(), every_key().count());
        assert!(variables.contains("BEHALF_SERVER_TLS_KEY"), "optional settings are in the list");
    }
}
