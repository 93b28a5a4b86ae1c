//! What settings must obey, each alone and together.

use std::net::IpAddr;

use url::{Host, Url};

use super::error::{Fault, Origin, Problem};
use super::{Config, MailSecurity};
use crate::foundation::email::Email;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const YEAR: u64 = 365 * DAY;
const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// What `BEHALF_MAIL_PASSWORD` sets.
pub(super) const MAIL_PASSWORD: &str = "mail.password";

type Rule = fn(&Config) -> Option<(&'static str, Problem)>;

const RULES: [Rule; 19] = [
    tls_certificate_needs_its_key,
    tls_key_needs_its_certificate,
    certificate_header_is_one,
    certificates_at_the_handshake_need_tls,
    certificates_elsewhere_are_shown_to_an_origin,
    strangers_need_a_public_url,
    public_url_is_an_origin,
    public_url_is_https,
    database_is_one_we_speak,
    signing_key_is_used_after_it_is_published,
    collector_is_a_web_address,
    providers_are_at_ports,
    development_stays_on_this_machine,
    mail_server_is_a_name,
    mail_comes_from_somebody,
    mail_user_needs_a_password,
    mail_password_needs_a_user,
    mail_has_one_password,
    mail_is_kept_from_others,
];

/// Every rule that these settings break.
pub(super) fn broken(config: &Config) -> Vec<Fault> {
    let ranges = ranges(config).into_iter().filter_map(|(key, value, least, most)| {
        let outside = value < least || value > most;
        outside.then_some((key, Problem::OutOfRange { least, most }))
    });
    let rules = RULES.iter().filter_map(|rule| rule(config));
    ranges.chain(rules).map(|(key, problem)| fault(config, key, problem)).collect()
}

fn fault(config: &Config, key: &str, problem: Problem) -> Fault {
    // A setting that is missed has no place of its own: the one that asks for it has.
    let place = match problem {
        Problem::PublicUrlMissing(_) => "server.listen",
        _ => key,
    };
    let origin = config.origins.get(place).cloned().unwrap_or(Origin::Default);
    // It is no key of the file, and its variable says all.
    let key = if key == MAIL_PASSWORD { "" } else { key };
    Fault { origin, key: key.to_owned(), problem }
}

/// `(key, value, least, most)` of every number.
fn ranges(config: &Config) -> [(&'static str, u64, u64, u64); 28] {
    let Config { server, database, keys, login, tokens, dns, egress, mail, manage, .. } = config;
    [
        ("server.request_timeout", server.request_timeout, 1, HOUR),
        ("server.header_timeout", server.header_timeout, 1, HOUR),
        ("server.shutdown_timeout", server.shutdown_timeout, 1, HOUR),
        ("server.max_body", wide(server.max_body), 16 * KIB, MIB),
        ("server.max_connections", wide(server.max_connections), 1, 1_000_000),
        ("database.connections", wide(database.connections), 1, 1_000),
        ("database.statement_timeout", database.statement_timeout, 1, HOUR),
        ("keys.signing_key_lifetime", keys.signing_key_lifetime, HOUR, 10 * YEAR),
        ("keys.publish_ahead", keys.publish_ahead, HOUR, 10 * YEAR),
        ("login.flow_lifetime", login.flow_lifetime, 1, DAY),
        ("login.session_lifetime", login.session_lifetime, 1, YEAR),
        ("login.flows_per_minute", login.flows_per_minute, 1, 1_000_000),
        ("login.notice_interval", login.notice_interval, 1, HOUR),
        ("tokens.code_lifetime", tokens.code_lifetime, 1, MINUTE),
        ("tokens.access_token_lifetime", tokens.access_token_lifetime, 1, HOUR),
        ("tokens.id_token_lifetime", tokens.id_token_lifetime, 1, HOUR),
        ("tokens.refresh_token_lifetime", tokens.refresh_token_lifetime, 1, YEAR),
        ("tokens.refresh_token_idle_lifetime", tokens.refresh_token_idle_lifetime, 1, YEAR),
        ("tokens.refresh_grace", tokens.refresh_grace, 0, MINUTE),
        ("dns.timeout", dns.timeout, 1, MINUTE),
        ("dns.recheck_interval", dns.recheck_interval, 1, DAY),
        ("egress.connect_timeout", egress.connect_timeout, 1, 9),
        // A login whose provider does not answer is refused within ten seconds.
        ("egress.total_timeout", egress.total_timeout, 1, 9),
        ("egress.max_response", wide(egress.max_response), 16 * KIB, 16 * MIB),
        ("mail.port", mail.port, 1, u64::from(u16::MAX)),
        ("mail.timeout", mail.timeout, 1, MINUTE),
        ("mail.interval", mail.interval, 1, HOUR),
        ("manage.deletion_grace", manage.deletion_grace, HOUR, 10 * YEAR),
    ]
}

fn wide(size: usize) -> u64 {
    u64::try_from(size).unwrap_or(u64::MAX)
}

fn tls_certificate_needs_its_key(config: &Config) -> Option<(&'static str, Problem)> {
    let half = config.server.tls_certificate.is_some() && config.server.tls_key.is_none();
    half.then_some(("server.tls_certificate", Problem::TlsHalf("server.tls_key")))
}

fn tls_key_needs_its_certificate(config: &Config) -> Option<(&'static str, Problem)> {
    let half = config.server.tls_key.is_some() && config.server.tls_certificate.is_none();
    half.then_some(("server.tls_key", Problem::TlsHalf("server.tls_certificate")))
}

fn certificate_header_is_one(config: &Config) -> Option<(&'static str, Problem)> {
    let name = &config.client_certificates.header;
    // What browsers, programs and proxies say for other reasons cannot tell of a certificate.
    let taken = ["authorization", "cookie", "dpop", "forwarded", "host", "origin", "x-forwarded-for"];
    let name = http::HeaderName::from_bytes(name.as_bytes()).ok();
    let is_one = name.is_some_and(|name| !taken.contains(&name.as_str()));
    (!is_one).then_some(("client_certificates.header", Problem::NotAHeader))
}

fn certificates_at_the_handshake_need_tls(config: &Config) -> Option<(&'static str, Problem)> {
    let half = config.client_certificates.at_handshake && config.server.tls_certificate.is_none();
    half.then_some(("client_certificates.at_handshake", Problem::Half("server.tls_certificate")))
}

fn certificates_elsewhere_are_shown_to_an_origin(config: &Config) -> Option<(&'static str, Problem)> {
    let url = config.client_certificates.public_url.as_ref()?;
    let problem = match (is_origin(url), is_safe(url)) {
        (false, _) => Problem::PublicUrlNotAnOrigin,
        (true, false) => Problem::PublicUrlScheme,
        (true, true) => return None,
    };
    Some(("client_certificates.public_url", problem))
}

fn strangers_need_a_public_url(config: &Config) -> Option<(&'static str, Problem)> {
    let listen = config.server.listen;
    let missing = config.server.public_url.is_none() && !listen.ip().is_loopback();
    missing.then_some(("server.public_url", Problem::PublicUrlMissing(listen)))
}

fn public_url_is_an_origin(config: &Config) -> Option<(&'static str, Problem)> {
    let url = config.server.public_url.as_ref()?;
    (!is_origin(url)).then_some(("server.public_url", Problem::PublicUrlNotAnOrigin))
}

fn public_url_is_https(config: &Config) -> Option<(&'static str, Problem)> {
    let url = config.server.public_url.as_ref()?;
    (!is_safe(url)).then_some(("server.public_url", Problem::PublicUrlScheme))
}

fn is_origin(url: &Url) -> bool {
    url.has_host() && bare(url) && matches!(url.path(), "" | "/")
}

fn is_safe(url: &Url) -> bool {
    url.scheme() == "https" || (url.scheme() == "http" && is_here(url))
}

fn database_is_one_we_speak(config: &Config) -> Option<(&'static str, Problem)> {
    let url = &config.database.url;
    let problem = match url.strip_prefix("sqlite:") {
        Some(path) => not_a_file(path.strip_prefix("//").unwrap_or(path)),
        None => {
            let rest = ["postgres://", "postgresql://"].iter().find_map(|start| url.strip_prefix(start));
            rest.is_none_or(str::is_empty).then_some(Problem::DatabaseScheme)
        }
    };
    problem.map(|problem| ("database.url", problem))
}

/// What other programs take in the place of a path.
fn not_a_file(path: &str) -> Option<Problem> {
    match path {
        "" => Some(Problem::DatabaseScheme),
        path if path.starts_with(':') || path.contains(":memory:") || path.contains("mode=memory") => {
            Some(Problem::DatabaseInMemory)
        }
        path if path.starts_with("file:") || path.contains('?') => Some(Problem::DatabaseNotAPath),
        _ => None,
    }
}

fn signing_key_is_used_after_it_is_published(config: &Config) -> Option<(&'static str, Problem)> {
    let (ahead, lifetime) = (config.keys.publish_ahead, config.keys.signing_key_lifetime);
    if ahead < lifetime {
        return None;
    }
    // Of two that do not go together, the operator has written one.
    Some(match config.origins.contains_key("keys.publish_ahead") {
        true => ("keys.publish_ahead", Problem::PublishedTooEarly { lifetime }),
        false => ("keys.signing_key_lifetime", Problem::ReplacedTooSoon { ahead }),
    })
}

fn collector_is_a_web_address(config: &Config) -> Option<(&'static str, Problem)> {
    let url = config.telemetry.otlp_endpoint.as_ref()?;
    let fine = matches!(url.scheme(), "http" | "https") && bare(url);
    (!fine).then_some(("telemetry.otlp_endpoint", Problem::CollectorUrl))
}

fn providers_are_at_ports(config: &Config) -> Option<(&'static str, Problem)> {
    let ports = &config.egress.ports;
    (ports.is_empty() || ports.contains(&0)).then_some(("egress.ports", Problem::NoPorts))
}

/// Otherwise a switch for a developer's laptop would open the inside of a production network.
fn development_stays_on_this_machine(config: &Config) -> Option<(&'static str, Problem)> {
    let far = config.egress.allow_loopback_and_http && !is_here(&config.public_url());
    far.then_some(("egress.allow_loopback_and_http", Problem::DevelopmentSwitch))
}

fn mail_server_is_a_name(config: &Config) -> Option<(&'static str, Problem)> {
    let server = config.mail.server.as_ref()?;
    mail_host(server).is_none().then_some(("mail.server", Problem::NotAServer))
}

fn mail_comes_from_somebody(config: &Config) -> Option<(&'static str, Problem)> {
    match (&config.mail.server, &config.mail.from) {
        (Some(_), None) => Some(("mail.server", Problem::Half("mail.from"))),
        (_, Some(from)) => Email::parse(from).err().map(|why| ("mail.from", Problem::NotAnAddress(why))),
        (None, None) => None,
    }
}

fn mail_user_needs_a_password(config: &Config) -> Option<(&'static str, Problem)> {
    let mail = &config.mail;
    let half = mail.username.is_some() && mail.password.is_none() && mail.password_file.is_none();
    half.then_some(("mail.username", Problem::Half("mail.password_file, or BEHALF_MAIL_PASSWORD")))
}

fn mail_password_needs_a_user(config: &Config) -> Option<(&'static str, Problem)> {
    let mail = &config.mail;
    let half = mail.username.is_none() && (mail.password.is_some() || mail.password_file.is_some());
    let key = if mail.password_file.is_some() { "mail.password_file" } else { MAIL_PASSWORD };
    half.then_some((key, Problem::Half("mail.username")))
}

fn mail_has_one_password(config: &Config) -> Option<(&'static str, Problem)> {
    let twice = config.mail.password.is_some() && config.mail.password_file.is_some();
    twice.then_some(("mail.password_file", Problem::TwoPasswords))
}

fn mail_is_kept_from_others(config: &Config) -> Option<(&'static str, Problem)> {
    let server = config.mail.server.as_ref().filter(|_| config.mail.security == MailSecurity::None)?;
    let fine = config.egress.allow_loopback_and_http || mail_host(server).is_some_and(|url| is_here(&url));
    (!fine).then_some(("mail.security", Problem::MailInTheClear))
}

/// A host and nothing else.
fn mail_host(server: &str) -> Option<Url> {
    let url = Url::parse(&format!("http://{server}/")).ok()?;
    let alone = url.host_str().is_some_and(|host| host.eq_ignore_ascii_case(server));
    (alone && bare(&url) && url.path() == "/").then_some(url)
}

fn bare(url: &Url) -> bool {
    url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none()
}

fn is_here(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}
