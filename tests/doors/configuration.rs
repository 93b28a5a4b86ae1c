//! An operator sets the house up: by file, by environment, and with mistakes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use behalf::config::{Config, ConfigError, Fault, Origin, Problem, every_key, variable_of};
use toml::{Table, Value};

const EXAMPLE: &str = include_str!("../../examples/behalf.toml");

fn load(file: &str, environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("site.toml");
    std::fs::write(&path, file).unwrap();
    Config::load(Some(&path), variables(environment).into_iter())
}

fn variables(environment: &[(&str, &str)]) -> Vec<(String, String)> {
    environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn refused(file: &str, environment: &[(&str, &str)]) -> Vec<Fault> {
    load(file, environment).expect_err("these settings must be refused").faults().to_vec()
}

/// The only fault, as `(key, problem)`.
fn the_fault(file: &str, environment: &[(&str, &str)]) -> (String, Problem) {
    let mut faults = refused(file, environment);
    assert_eq!(faults.len(), 1, "{faults:?}");
    let fault = faults.remove(0);
    (fault.key, fault.problem)
}

/// The example with every setting switched on: a setting follows its `#` at once, a remark after a space.
fn uncommented() -> String {
    let switch_on = |line: &'static str| match line.strip_prefix('#') {
        Some(setting) if setting.starts_with(|c: char| c.is_ascii_lowercase()) => setting,
        _ => line,
    };
    EXAMPLE.lines().map(switch_on).collect::<Vec<_>>().join("\n")
}

fn keys(table: &Table) -> BTreeSet<(&str, &str)> {
    table
        .iter()
        .flat_map(|(section, keys)| {
            keys.as_table().into_iter().flatten().map(move |(key, _)| (section.as_str(), key.as_str()))
        })
        .collect()
}

#[test]
fn the_example_shows_every_setting_at_its_default() {
    let shown: Table = uncommented().parse().unwrap();
    assert_eq!(keys(&shown), every_key().collect::<BTreeSet<_>>());

    let in_force = Table::try_from(load(&uncommented(), &[]).unwrap()).unwrap();
    let defaults = Table::try_from(Config::default()).unwrap();
    for (section, key) in keys(&defaults) {
        assert_eq!(in_force[section][key], defaults[section][key], "{section}.{key}");
    }
}

#[test]
fn the_example_changes_nothing_as_it_is_and_names_every_variable() {
    assert!(load(EXAMPLE, &[]).unwrap().origins.is_empty());
    let mut remarks = String::new();
    let mut section = "";
    let mut seen = 0;
    for line in EXAMPLE.lines() {
        match (line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')), line.strip_prefix("# ")) {
            (Some(name), _) => section = name,
            (_, Some(remark)) => remarks.push_str(remark),
            _ if line.starts_with('#') && line.contains(" = ") => {
                let key = line[1..].split(" = ").next().unwrap();
                let variable = variable_of(section, key);
                assert!(remarks.contains(&variable), "{section}.{key} does not name {variable}");
                assert!(remarks.len() > variable.len() + 20, "{section}.{key} is not explained");
                remarks.clear();
                seen += 1;
            }
            _ => remarks.clear(),
        }
    }
    assert_eq!(seen, every_key().count());
}

#[test]
fn every_setting_can_be_set_by_its_variable() {
    let example: Table = uncommented().parse().unwrap();
    let environment: Vec<_> = every_key()
        .map(|(section, key)| (variable_of(section, key), as_variable(&example[section][key])))
        .filter(|(_, text)| !text.is_empty())
        .collect();
    let by_environment = Config::load(Some(empty_file().path()), environment.into_iter()).unwrap();
    let by_file = load(&uncommented(), &[]).unwrap();
    assert_eq!(Table::try_from(&by_environment).unwrap(), Table::try_from(&by_file).unwrap());
}

fn empty_file() -> tempfile::NamedTempFile {
    tempfile::NamedTempFile::new().unwrap()
}

fn as_variable(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(as_variable).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

#[test]
fn the_environment_comes_before_the_file_and_the_file_before_the_default() {
    let file = "[server]\nmax_body = 70000\nlisten = \"127.0.0.1:1\"\n";
    let config =
        load(file, &[("BEHALF_LISTEN", "127.0.0.1:2"), ("BEHALF_DNS_RESOLVERS", "[::1]:53, 127.0.0.1:53")])
            .unwrap();
    assert_eq!(config.server.listen, "127.0.0.1:2".parse().unwrap());
    assert_eq!(config.server.max_body, 70_000);
    assert_eq!(config.dns.resolvers.len(), 2);

    let described: BTreeMap<_, _> =
        config.describe().into_iter().map(|line| (line.key, line.origin)).collect();
    assert_eq!(described["server.listen"], Origin::Environment { variable: "BEHALF_LISTEN".into() });
    assert!(matches!(&described["server.max_body"], Origin::File { line: 2, column: 12, .. }));
    assert_eq!(described["login.flow_lifetime"], Origin::Default);
    assert_eq!(described.len(), every_key().count());
}

#[test]
fn every_mistake_is_told_at_once_with_its_place() {
    let file =
        "[server]\nlissten = \"127.0.0.1:1\"\nmax_body = \"big\"\n\n[tokns]\n[dns]\nresolvers = [\"x\"]\n";
    let environment = [("BEHALF_SERVER_MAX_CONNECTION", "1"), ("BEHALF_DNS_TIMEOUT", "soon")];
    let error = load(file, &environment).unwrap_err().to_string();
    let lines: Vec<_> = error.lines().collect();
    let expect = [
        ":2:1: server.lissten: unknown key; did you mean listen?",
        ":3:12: server.max_body: must be a whole number that is not negative, not a text",
        ":5:2: tokns: unknown section; did you mean tokens?",
        ":7:13: dns.resolvers: must be IP addresses, with a port if it is not 53",
        "BEHALF_SERVER_MAX_CONNECTION: unknown environment variable; did you mean BEHALF_SERVER_MAX_CONNECTIONS?",
        "BEHALF_DNS_TIMEOUT: dns.timeout: must be a whole number",
    ];
    assert_eq!(lines.len(), expect.len(), "{error}");
    for text in expect {
        assert!(lines.iter().any(|line| line.contains(text)), "{text} is not in\n{error}");
    }
    assert!(lines.iter().filter(|line| line.contains("site.toml:")).count() == 4);
}

#[test]
fn what_is_wrong_with_a_value_is_told_without_words_of_the_program() {
    for (file, expected) in [
        ("[server]\nmax_body = \"big\"", "must be a whole number that is not negative, not a text"),
        ("[server]\nmax_body = -1", "must be a whole number that is not negative"),
        ("[server]\nmax_body = 1.5", "must be a whole number that is not negative, not a fraction"),
        ("[login]\nflow_lifetime = \"1h\"", "must be a whole number that is not negative, not a text"),
        ("[egress]\nallow_loopback_and_http = \"yes\"", "must be true or false, not a text"),
        ("[egress]\nports = 443", "must be a list, not a whole number"),
        ("[egress]\nports = [\"https\"]", "must be a list of whole numbers up to 65535"),
        ("[egress]\nports = [70000]", "must be a list of whole numbers up to 65535"),
        ("[dns]\nresolvers = [53]", "must be a list of texts"),
        ("[keys]\nfolder = 1", "must be a text such as \"keys\", not a whole number"),
        ("[server]\nlisten = 8080", "must be a text such as \"127.0.0.1:8080\", not a whole number"),
        ("[telemetry]\nlog_format = \"xml\"", "unknown word `xml`, expected `text` or `json`"),
    ] {
        let (_, problem) = the_fault(file, &[]);
        assert_eq!(problem, Problem::BadValue(expected.into()), "{file}");
    }
    let (_, problem) = the_fault("", &[("BEHALF_EGRESS_PORTS", "443,https")]);
    assert_eq!(problem, Problem::BadValue("must be whole numbers".into()));
    let config = load("", &[("BEHALF_EGRESS_PORTS", "443, 8443")]).unwrap();
    assert_eq!(config.egress.ports, [443, 8443]);
}

#[test]
fn a_table_that_is_not_closed_is_the_only_mistake() {
    let file = "[server\nmax_body = 70000\n[tokens]\ncode_lifetime = 1\n[server]\nmax_body = 1\n";
    let error = load(file, &[]).unwrap_err().to_string();
    assert_eq!(error.lines().count(), 1, "{error}");
    assert!(error.contains("site.toml:1:"), "{error}");
}

#[test]
fn what_is_not_toml_is_refused_with_its_place_and_not_quoted() {
    let error = load("[database]\nurl = \"postgres://ann:hunter2@db.test/x\n", &[]).unwrap_err();
    assert!(error.faults().iter().all(|fault| matches!(fault.problem, Problem::Syntax(_))));
    let error = error.to_string();
    assert!(error.contains("site.toml:2:"), "{error}");
    assert!(!error.contains("hunter2"), "{error}");
}

#[test]
fn a_section_is_not_a_value_and_a_value_not_a_section() {
    assert_eq!(the_fault("server = 1", &[]).1, Problem::NotASection("server".into()));
    assert!(matches!(the_fault("[server.listen]\nport = 1", &[]).1, Problem::BadValue(_)));
    assert!(matches!(the_fault("[keys]\nmaster_key = \"00\"", &[]).1, Problem::Unknown { .. }));
    let (_, problem) = the_fault("[server]\nflow_lifetime = 1", &[]);
    assert_eq!(
        problem,
        Problem::Unknown { what: "key", suggestion: Some("flow_lifetime in [login]".into()) }
    );
}

#[test]
fn a_file_that_was_asked_for_must_be_there() {
    let missing = Path::new("no/such/file.toml");
    let error = Config::load(Some(missing), std::iter::empty()).unwrap_err();
    assert!(matches!(&error, ConfigError::Unreadable { path, .. } if path == missing), "{error}");
    let error =
        Config::load(None, variables(&[("BEHALF_CONFIG", "no/such/file.toml")]).into_iter()).unwrap_err();
    assert!(matches!(&error, ConfigError::Unreadable { path, .. } if path == missing));
}

#[test]
fn behalf_config_names_the_file() {
    let file = empty_file();
    std::fs::write(file.path(), "[tokens]\ncode_lifetime = 20\n").unwrap();
    let path = file.path().to_str().unwrap();
    let config = Config::load(None, variables(&[("BEHALF_CONFIG", path)]).into_iter()).unwrap();
    assert_eq!(config.tokens.code_lifetime, 20);
}

#[test]
fn variables_of_tests_and_of_others_are_left_alone() {
    let others = [("BEHALF_TEST_DATABASE", "x"), ("RUST_LOG", "trace"), ("PATH", "/bin")];
    let config = load("", &others).unwrap();
    assert_eq!(config.telemetry.log_filter, load("", &[]).unwrap().telemetry.log_filter);
    assert!(config.origins.is_empty());
}

#[test]
fn a_redis_is_refused_until_there_is_one() {
    let error = load("", &[("BEHALF_REDIS_URL", "redis://:hunter2@r.test")]).unwrap_err().to_string();
    assert!(error.contains("BEHALF_REDIS_URL: not supported yet"), "{error}");
    assert!(error.contains("in process"), "{error}");
    assert!(!error.contains("hunter2"));
}

#[test]
fn one_setting_is_not_set_twice() {
    let both = [("BEHALF_LISTEN", "127.0.0.1:1"), ("BEHALF_SERVER_LISTEN", "127.0.0.1:2")];
    assert_eq!(the_fault("", &both), ("server.listen".into(), Problem::SetTwice("BEHALF_LISTEN".into())));
}

#[test]
fn an_empty_text_is_a_mistake_and_an_empty_list_is_a_list() {
    assert_eq!(the_fault("[keys]\nfolder = \"\"", &[]), ("keys.folder".into(), Problem::Empty));
    assert_eq!(the_fault("", &[("BEHALF_MASTER_KEY", "")]).1, Problem::Empty);
    let config = load("", &[("BEHALF_TELEMETRY_METRICS_NETWORKS", "")]).unwrap();
    assert!(config.telemetry.metrics_networks.is_empty());
}

#[test]
fn m09_secrets_of_the_settings_are_not_shown() {
    let environment = [
        ("BEHALF_MASTER_KEY", "hunter2-master"),
        ("BEHALF_DATABASE_URL", "postgres://ann:hunter2@db.test/behalf?password=hunter2"),
    ];
    let config = load("", &environment).unwrap();
    assert_eq!(config.keys.master_key.as_ref().map(|key| key.expose()), Some("hunter2-master"));
    assert!(config.database.url.contains("hunter2"), "the house itself needs it");
    assert!(!format!("{config:?}").contains("hunter2"));
    let described = config.describe();
    assert!(!format!("{described:?}").contains("hunter2"));
    let url = described.iter().find(|line| line.key == "database.url").unwrap();
    assert!(url.value.contains("ann") && url.value.contains("db.test"), "{}", url.value);

    for (key, value) in [
        ("BEHALF_DATABASE_URL", "mysql://ann:hunter2@db.test"),
        ("BEHALF_PUBLIC_URL", "https://ann:hunter2@[x"),
        ("BEHALF_PUBLIC_URL", "https://ann:hunter2@a.test"),
        ("BEHALF_TELEMETRY_OTLP_ENDPOINT", "https://ann:hunter2@a.test"),
        ("BEHALF_TELEMETRY_OTLP_ENDPOINT", "hunter2"),
    ] {
        let error = load("", &[(key, value)]).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    }
}

#[test]
fn the_public_url_is_the_listening_address_if_nobody_else_reaches_it() {
    let config = Config::default();
    assert_eq!(config.public_url().as_str(), "http://127.0.0.1:8080/");
    assert_eq!(config.public_origin(), "http://127.0.0.1:8080");
    let tls = "[server]\nlisten = \"[::1]:443\"\ntls_certificate = \"c\"\ntls_key = \"k\"";
    assert_eq!(load(tls, &[]).unwrap().public_origin(), "https://[::1]");
    let config = load("", &[("BEHALF_PUBLIC_URL", "https://Login.A.test:443")]).unwrap();
    assert_eq!(config.public_origin(), "https://login.a.test");

    for open in ["0.0.0.0:8080", "[::]:8080", "192.0.2.1:8080"] {
        let fault = refused("", &[("BEHALF_LISTEN", open)]).remove(0);
        assert_eq!(fault.problem, Problem::PublicUrlMissing(open.parse().unwrap()));
        assert_eq!(fault.origin, Origin::Environment { variable: "BEHALF_LISTEN".into() });
        load("", &[("BEHALF_LISTEN", open), ("BEHALF_PUBLIC_URL", "https://a.test")]).unwrap();
    }
}

#[test]
fn the_public_url_is_an_https_origin() {
    for fine in
        ["https://a.test", "https://a.test/", "http://localhost:8080", "http://127.0.0.9", "http://[::1]:1"]
    {
        load("", &[("BEHALF_PUBLIC_URL", fine)]).unwrap();
    }
    for path in [
        "https://a.test/x",
        "https://a.test/?",
        "https://a.test/?x",
        "https://a.test/#",
        "https://ann@a.test",
    ] {
        assert_eq!(the_fault("", &[("BEHALF_PUBLIC_URL", path)]).1, Problem::PublicUrlNotAnOrigin, "{path}");
    }
    for plain in
        ["http://a.test", "http://192.168.0.1", "http://localhost.a.test", "http://0.0.0.0", "ftp://a.test"]
    {
        assert_eq!(the_fault("", &[("BEHALF_PUBLIC_URL", plain)]).1, Problem::PublicUrlScheme, "{plain}");
    }
    assert!(load("", &[("BEHALF_PUBLIC_URL", "mailto:ann@a.test")]).is_err());
}

#[test]
fn tls_takes_both_files_or_neither() {
    let (key, problem) = the_fault("[server]\ntls_certificate = \"c\"", &[]);
    assert_eq!((key.as_str(), problem), ("server.tls_certificate", Problem::TlsHalf("server.tls_key")));
    let (key, problem) = the_fault("[server]\ntls_key = \"k\"", &[]);
    assert_eq!((key.as_str(), problem), ("server.tls_key", Problem::TlsHalf("server.tls_certificate")));
}

#[test]
fn m10_numbers_stay_in_their_limits() {
    let outside = [
        ("tokens.code_lifetime", 0),
        ("tokens.code_lifetime", 61),
        ("tokens.access_token_lifetime", 0),
        ("tokens.access_token_lifetime", 3_601),
        ("tokens.id_token_lifetime", 3_601),
        ("tokens.refresh_token_lifetime", 0),
        ("tokens.refresh_token_lifetime", 31_536_001),
        ("tokens.refresh_token_idle_lifetime", 31_536_001),
        ("tokens.refresh_grace", 61),
        ("keys.publish_ahead", 3_599),
        ("egress.total_timeout", 0),
        ("egress.total_timeout", 10),
        ("egress.connect_timeout", 0),
        ("server.max_body", 16_383),
        ("server.max_body", 1_048_577),
        ("server.request_timeout", 0),
        ("server.header_timeout", 0),
        ("server.shutdown_timeout", 0),
        ("server.max_connections", 0),
        ("database.connections", 0),
        ("database.statement_timeout", 0),
        ("dns.timeout", 0),
        ("dns.recheck_interval", 0),
        ("login.flow_lifetime", 0),
        ("login.session_lifetime", i64::MAX),
        ("login.flows_per_minute", 0),
    ];
    for (name, value) in outside {
        let (section, key) = name.split_once('.').unwrap();
        let (at, problem) = the_fault(&format!("[{section}]\n{key} = {value}"), &[]);
        assert_eq!(at, name);
        assert!(matches!(problem, Problem::OutOfRange { .. }), "{name} = {value}: {problem:?}");
    }
    assert!(matches!(the_fault("[server]\nmax_body = -1", &[]).1, Problem::BadValue(_)));
}

#[test]
fn no_number_is_without_limits() {
    for (section, key) in every_key() {
        let sample = &Table::try_from(Config::default()).unwrap()[section];
        if sample.get(key).is_some_and(Value::is_integer) {
            let faults = refused(&format!("[{section}]\n{key} = {}", i64::MAX), &[]);
            assert!(matches!(faults[0].problem, Problem::OutOfRange { .. }), "{section}.{key} has no limit");
        }
    }
}

#[test]
fn a_signing_key_is_published_for_less_than_its_lifetime() {
    let file = "[keys]\nsigning_key_lifetime = 7200\npublish_ahead = 7200";
    let problem = Problem::PublishedTooEarly { lifetime: 7_200 };
    assert_eq!(the_fault(file, &[]), ("keys.publish_ahead".into(), problem));
    // Whoever has written one of the two is told of that one, and where it stands.
    let fault = refused("[keys]\nsigning_key_lifetime = 7200", &[]).remove(0);
    assert_eq!(fault.key, "keys.signing_key_lifetime");
    assert!(matches!(fault.origin, Origin::File { line: 2, .. }), "{fault}");
    assert!(fault.to_string().contains("keys.publish_ahead, which is 86400"), "{fault}");
}

#[test]
fn an_address_is_written_as_people_write_it() {
    let file = "[server]\ntrusted_proxies = [\"10.0.0.2\", \"fd00::2\", \"10.1.0.0/16\"]\n\
                [client_certificates]\nproxies = [\"10.0.0.3\"]\n\
                [dns]\nresolvers = [\"192.0.2.53\", \"::1\", \"127.0.0.1:5353\"]\n\
                [telemetry]\nmetrics_networks = [\"10.0.0.4\"]\n";
    let config = load(file, &[("BEHALF_SERVER_LISTEN", "[::1]:8080")]).unwrap();
    let networks = |networks: &[ipnet::IpNet]| networks.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(networks(&config.server.trusted_proxies), ["10.0.0.2/32", "fd00::2/128", "10.1.0.0/16"]);
    assert_eq!(networks(&config.client_certificates.proxies), ["10.0.0.3/32"]);
    assert_eq!(networks(&config.telemetry.metrics_networks), ["10.0.0.4/32"]);
    let resolvers: Vec<_> = config.dns.resolvers.iter().map(ToString::to_string).collect();
    assert_eq!(resolvers, ["192.0.2.53:53", "[::1]:53", "127.0.0.1:5353"]);
}

#[test]
fn what_is_no_address_is_told_what_one_looks_like() {
    for (variable, value, wanted) in [
        ("BEHALF_LISTEN", "8080", "127.0.0.1:8080"),
        ("BEHALF_LISTEN", ":8080", "0.0.0.0:8080"),
        ("BEHALF_LISTEN", "localhost:8080", "an IP address and a port"),
        ("BEHALF_SERVER_TRUSTED_PROXIES", "10.0.0.2/33", "such as 10.0.0.2 or 10.0.0.0/8"),
        ("BEHALF_SERVER_TRUSTED_PROXIES", "proxy.a.test", "such as 10.0.0.2 or 10.0.0.0/8"),
        ("BEHALF_DNS_RESOLVERS", "dns.a.test", "such as 192.0.2.53"),
        ("BEHALF_PUBLIC_URL", "login.a.test", "such as \"https://login.example.com"),
        ("BEHALF_EGRESS_PORTS", "0", "from 1 to 65535"),
        ("BEHALF_EGRESS_PORTS", "", "at least one"),
    ] {
        let error = load("", &[(variable, value)]).unwrap_err().to_string();
        assert!(error.contains(variable) && error.contains(wanted), "{value}: {error}");
    }
}

#[test]
fn a_password_without_a_name_is_told_of_the_variable_that_holds_it() {
    let file = "[mail]\nserver = \"mail.a.test\"\nfrom = \"no-reply@a.test\"\n";
    let error = load(file, &[("BEHALF_MAIL_PASSWORD", "very secret")]).unwrap_err().to_string();
    assert_eq!(error, "BEHALF_MAIL_PASSWORD: needs mail.username as well");
}

#[test]
fn the_database_is_one_we_speak() {
    for fine in ["sqlite:x.db", "postgres://ann@a.test/x", "postgresql:///x"] {
        load("", &[("BEHALF_DATABASE_URL", fine)]).unwrap();
    }
    for other in ["sqlite:", "sqlite://", "postgres://", "mysql://a.test", "x.db"] {
        assert_eq!(the_fault("", &[("BEHALF_DATABASE_URL", other)]).1, Problem::DatabaseScheme, "{other}");
    }
    for memory in
        ["sqlite::memory:", "sqlite://:memory:", "sqlite:file::memory:?cache=shared", "sqlite:x?mode=memory"]
    {
        let (key, problem) = the_fault("", &[("BEHALF_DATABASE_URL", memory)]);
        assert_eq!((key.as_str(), &problem), ("database.url", &Problem::DatabaseInMemory), "{memory}");
        assert!(problem.to_string().contains("not supported"), "{problem}");
    }
    for parameters in ["sqlite:x.db?mode=rwc", "sqlite:file:x.db"] {
        assert_eq!(the_fault("", &[("BEHALF_DATABASE_URL", parameters)]).1, Problem::DatabaseNotAPath);
    }
}

#[test]
fn the_development_switch_never_reaches_production() {
    let switch = ("BEHALF_EGRESS_ALLOW_LOOPBACK_AND_HTTP", "true");
    load("", &[switch]).unwrap();
    load("", &[switch, ("BEHALF_PUBLIC_URL", "http://localhost:8080")]).unwrap();
    let (key, problem) = the_fault("", &[switch, ("BEHALF_PUBLIC_URL", "https://login.a.test")]);
    assert_eq!((key.as_str(), problem), ("egress.allow_loopback_and_http", Problem::DevelopmentSwitch));
}

#[test]
fn certificate_settings_that_cannot_work_are_named() {
    let file = |more: &str| format!("[client_certificates]\n{more}\n");
    assert!(load(&file("proxies = [\"10.0.0.0/8\"]\nformat = \"pem\""), &[]).is_ok());
    for (more, key, problem) in [
        ("header = \"Cookie\"", "client_certificates.header", Problem::NotAHeader),
        ("header = \"a b\"", "client_certificates.header", Problem::NotAHeader),
        ("at_handshake = true", "client_certificates.at_handshake", Problem::Half("server.tls_certificate")),
        (
            "public_url = \"https://a.test/x\"",
            "client_certificates.public_url",
            Problem::PublicUrlNotAnOrigin,
        ),
        ("public_url = \"http://a.test\"", "client_certificates.public_url", Problem::PublicUrlScheme),
    ] {
        assert_eq!(the_fault(&file(more), &[]), (key.to_owned(), problem), "{more}");
    }
}

#[test]
fn mail_settings_that_cannot_work_are_named() {
    let mail = |more: &str| format!("[mail]\nserver = \"mail.a.test\"\nfrom = \"no-reply@a.test\"\n{more}");
    assert!(load(&mail(""), &[]).is_ok());
    for (file, key) in [
        ("[mail]\nserver = \"mail.a.test\"\n".to_owned(), "mail.from"),
        ("[mail]\nserver = \"mail.a.test:25\"\nfrom = \"x@a.test\"\n".to_owned(), "mail.server"),
        ("[mail]\nserver = \"smtp://mail.a.test\"\nfrom = \"x@a.test\"\n".to_owned(), "mail.server"),
        ("[mail]\nserver = \"mail.a.test\"\nfrom = \"Acme <x@a.test>\"\n".to_owned(), "mail.from"),
        (mail("username = \"behalf\"\n"), "mail.username"),
        (mail("password_file = \"mail-password\"\n"), "mail.password_file"),
        (mail("security = \"none\"\n"), "mail.security"),
        (mail("timeout = 61\n"), "mail.timeout"),
        (mail("port = 0\n"), "mail.port"),
    ] {
        let (named, problem) = the_fault(&file, &[]);
        let named =
            if matches!(problem, Problem::Half("mail.from")) { "mail.from".to_owned() } else { named };
        assert_eq!(named, key, "{file}: {problem}");
    }
    // In the clear on this machine, or where the operator has said so.
    let here = mail("security = \"none\"\n").replace("mail.a.test", "127.0.0.1");
    assert!(load(&here, &[]).is_ok());
    let development = format!("{}[egress]\nallow_loopback_and_http = true\n", mail("security = \"none\"\n"));
    assert!(load(&development, &[]).is_ok());
}

#[test]
fn c29_the_password_of_the_mail_server_is_one_and_is_never_shown() {
    let file = "[mail]\nserver = \"mail.a.test\"\nfrom = \"no-reply@a.test\"\nusername = \"behalf\"\n";
    let word = ("BEHALF_MAIL_PASSWORD", "very secret");
    let config = load(file, &[word]).unwrap();
    assert_eq!(config.mail.password.as_ref().unwrap().expose(), "very secret");
    assert!(!format!("{config:?}").contains("very secret"));
    assert!(config.describe().iter().all(|setting| !setting.value.contains("very secret")));
    let twice = format!("{file}password_file = \"mail-password\"\n");
    assert_eq!(the_fault(&twice, &[word]), ("mail.password_file".to_owned(), Problem::TwoPasswords));
    assert!(matches!(the_fault(file, &[("BEHALF_MAIL_PASSWORD", "")]).1, Problem::Empty));
    let (key, _) = the_fault(&format!("{file}password = \"in the file\"\n"), &[word]);
    assert_eq!(key, "mail.password", "never in the file");
}
