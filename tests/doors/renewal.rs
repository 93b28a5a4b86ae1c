//! What an operator renews while the server runs: SIGHUP has it read again, and nobody who is connected notices.

use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, SystemTime};

use behalf::broker::client_authorities::ClientAuthorities;
use behalf::foundation::clock::Clock;
use reqwest::{Certificate, Client};
use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr};
use tokio::time::timeout;

use crate::house::certificates::{Authority, of_server};
use crate::house::lying_idp::{Door, LyingIdp};
use crate::house::ports::free_port;

const PATIENCE: Duration = Duration::from_secs(30);

/// `behalf serve`, in a folder of its own.
struct Server {
    process: Child,
    log: Lines<BufReader<ChildStderr>>,
    port: u16,
}

impl Server {
    async fn starts(folder: &Path, settings: &[(&str, &str)]) -> Self {
        let port = free_port();
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_behalf"));
        command.current_dir(folder).arg("serve").env_clear().envs(settings.iter().copied());
        command.env("BEHALF_LISTEN", format!("127.0.0.1:{port}")).kill_on_drop(true);
        let mut process = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let log = BufReader::new(process.stderr.take().unwrap()).lines();
        let mut server = Self { process, log, port };
        server.says("serving").await;
        server
    }

    /// Reads the log as far as a line with this text.
    async fn says(&mut self, text: &str) -> String {
        let mut seen = Vec::new();
        loop {
            let line = timeout(PATIENCE, self.log.next_line()).await;
            let line = line.unwrap_or_else(|_| panic!("no {text} in {seen:?}")).unwrap();
            let line = line.unwrap_or_else(|| panic!("it ended without {text}: {seen:?}"));
            if line.contains(text) {
                return line;
            }
            seen.push(line);
        }
    }

    fn hears(&self, signal: &str) {
        let id = self.process.id().unwrap().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    async fn ends(mut self) -> ExitStatus {
        self.hears("-TERM");
        timeout(PATIENCE, self.process.wait()).await.unwrap().unwrap()
    }

    /// Whether somebody gets an answer: by TLS who trusts this.
    async fn answers(&self, scheme: &str, client: &Client) -> bool {
        let asked = client.get(format!("{scheme}://127.0.0.1:{}/healthz", self.port)).send().await;
        asked.is_ok_and(|answer| answer.status() == 200)
    }
}

fn trusting(pem: &str) -> Client {
    let certificate = Certificate::from_pem(pem.as_bytes()).unwrap();
    Client::builder().tls_certs_only([certificate]).no_proxy().build().unwrap()
}

/// Puts a certificate for this address and its key into the folder; the certificate.
fn renews(folder: &Path) -> String {
    let (certificate, key) = of_server("127.0.0.1", |_| {});
    std::fs::write(folder.join("tls.crt"), &certificate).unwrap();
    std::fs::write(folder.join("tls.key"), key).unwrap();
    certificate
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_after_sighup_and_nobody_who_is_connected_notices() {
    for at_handshake in ["false", "true"] {
        let room = tempfile::tempdir().unwrap();
        let folder = room.path();
        let first = renews(folder);
        std::fs::write(folder.join("clients.pem"), Authority::new().pem).unwrap();
        let mut server = Server::starts(
            folder,
            &[
                ("BEHALF_SERVER_TLS_CERTIFICATE", "tls.crt"),
                ("BEHALF_SERVER_TLS_KEY", "tls.key"),
                ("BEHALF_CLIENT_CERTIFICATES_AT_HANDSHAKE", at_handshake),
                ("BEHALF_CLIENT_CERTIFICATES_AUTHORITIES", "clients.pem"),
            ],
        )
        .await;
        let connected = trusting(&first);
        assert!(server.answers("https", &connected).await);

        // A key of another certificate, as between two copies: what was there before stays.
        std::fs::write(folder.join("tls.key"), of_server("127.0.0.1", |_| {}).1).unwrap();
        std::fs::write(folder.join("clients.pem"), "no certificate").unwrap();
        server.hears("-HUP");
        let told = server.says("TLS certificate and key cannot be used; those before stay in use").await;
        assert!(told.contains("ERROR") && told.contains("server.tls_key: tls.key"), "{told}");
        let told = server.says("authorities of clients cannot be used").await;
        assert!(told.contains("clients.pem"), "{told}");
        assert!(server.answers("https", &trusting(&first)).await);

        let second = renews(folder);
        std::fs::write(folder.join("clients.pem"), Authority::new().pem).unwrap();
        server.hears("-HUP");
        server.says("TLS certificate and key were read again and are in use").await;
        server.says("authorities of clients were read again and are in use").await;
        assert!(server.answers("https", &trusting(&second)).await, "whoever comes now is shown the new one");
        assert!(!server.answers("https", &trusting(&first)).await);
        assert!(server.answers("https", &connected).await, "whoever was connected still is");

        // One that ends soon is told of.
        let soon = |params: &mut rcgen::CertificateParams| {
            params.not_after = (SystemTime::now() + Duration::from_secs(3 * 86_400)).into();
        };
        let (certificate, key) = of_server("127.0.0.1", soon);
        std::fs::write(folder.join("tls.crt"), certificate).unwrap();
        std::fs::write(folder.join("tls.key"), key).unwrap();
        server.hears("-HUP");
        server.says("server.tls_certificate is valid until").await;
        assert!(server.ends().await.success());
    }
}

#[tokio::test]
async fn sighup_ends_no_server_that_has_nothing_to_read_again() {
    let room = tempfile::tempdir().unwrap();
    let mut server = Server::starts(room.path(), &[]).await;
    let client = Client::builder().no_proxy().build().unwrap();
    for _ in 0..2 {
        server.hears("-HUP");
        server.says("there is no TLS certificate to read again").await;
        assert!(server.answers("http", &client).await);
    }
    assert!(server.ends().await.success());
}

#[test]
fn m07_authorities_that_are_read_again_vouch_in_the_place_of_those_before() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let (before, after) = (Authority::new(), Authority::new());
    std::fs::write(file.path(), &before.pem).unwrap();
    let authorities = ClientAuthorities::open(Some(file.path())).unwrap();
    let now = Clock::System.now();
    let vouched = |by: &Authority| authorities.vouch_for(&by.vouches_for("batch.test").der, &[], now);
    assert!(vouched(&before) && !vouched(&after));
    std::fs::write(file.path(), &after.pem).unwrap();
    assert!(vouched(&before), "nobody has said so yet");
    authorities.read_again().unwrap();
    assert!(!vouched(&before) && vouched(&after));
    for broken in ["", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        std::fs::write(file.path(), broken).unwrap();
        assert!(
            authorities.read_again().unwrap_err().to_string().contains("client_certificates.authorities")
        );
        assert!(!vouched(&before) && vouched(&after), "what was there stays");
    }
}

/// Whether `behalf check` finds all well, and what it says.
fn checked(folder: &Path, settings: &[(&str, &str)]) -> (bool, String) {
    behalf(folder, &["check"], settings)
}

fn behalf(folder: &Path, arguments: &[&str], settings: &[(&str, &str)]) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_behalf"));
    command.current_dir(folder).args(arguments).env_clear().envs(settings.iter().copied());
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.success(), text(&output.stdout) + &text(&output.stderr))
}

#[test]
fn check_says_how_long_the_certificates_of_the_settings_are_good_and_whom_they_are_for() {
    let room = tempfile::tempdir().unwrap();
    let settings = [
        ("BEHALF_SERVER_TLS_CERTIFICATE", "tls.crt"),
        ("BEHALF_SERVER_TLS_KEY", "tls.key"),
        ("BEHALF_CLIENT_CERTIFICATES_AUTHORITIES", "clients.pem"),
    ];
    let authority = Authority::new();
    std::fs::write(room.path().join("clients.pem"), &authority.pem).unwrap();
    let days = |days: i64| {
        let (now, away) = (SystemTime::now(), Duration::from_secs(days.unsigned_abs() * 86_400));
        if days < 0 { now - away } else { now + away }
    };
    for (name, from, until, well, told) in [
        ("127.0.0.1", -9, 90, true, "✓ TLS: the certificate is valid until "),
        ("127.0.0.1", -9, 3, true, "! TLS: the certificate is valid until "),
        ("127.0.0.1", -9, -1, false, "✗ TLS: the certificate expired "),
        ("127.0.0.1", 1, 90, false, "✗ TLS: the certificate is not valid yet"),
        (
            "other.test",
            -9,
            90,
            true,
            "! TLS: the certificate is not for 127.0.0.1, the host of server.public_url",
        ),
    ] {
        let (certificate, key) = of_server(name, |params| {
            (params.not_before, params.not_after) = (days(from).into(), days(until).into());
        });
        std::fs::write(room.path().join("tls.crt"), certificate).unwrap();
        std::fs::write(room.path().join("tls.key"), key).unwrap();
        let (is_well, said) = checked(room.path(), &settings);
        assert!(is_well == well && said.contains(told), "{told}: {said}");
        assert!(said.contains("✓ authorities of clients: one authority in clients.pem"), "{said}");
        assert!(said.contains("! authorities of clients: nobody can show a certificate"), "{said}");
    }
    std::fs::write(room.path().join("clients.pem"), "nothing").unwrap();
    let (well, said) = checked(room.path(), &settings);
    assert!(!well, "{said}");
    assert!(
        said.contains("✗ authorities of clients: client_certificates.authorities: clients.pem"),
        "{said}"
    );
    let gone = [("BEHALF_CLIENT_CERTIFICATES_AUTHORITIES", "gone.pem")];
    assert!(!checked(room.path(), &gone).0);
}

#[tokio::test(flavor = "multi_thread")]
async fn s2_24_check_looks_at_the_keys_that_an_application_publishes() {
    let publisher = LyingIdp::opens(Clock::System).await;
    let room = tempfile::tempdir().unwrap();
    let file = format!(
        "[application.signer]\ntype = \"web\"\nredirect_uris = [\"https://signer.test/callback\"]\n\
         token_endpoint_auth_method = \"private_key_jwt\"\njwks_uri = \"{}/jwks\"\n",
        publisher.issuer
    );
    std::fs::write(room.path().join("house.toml"), file).unwrap();
    let settings = [("BEHALF_EGRESS_ALLOW_LOOPBACK_AND_HTTP", "true")];
    let (applied, told) = behalf(room.path(), &["apply", "house.toml"], &settings);
    assert!(applied, "{told}");
    let (well, said) = checked(room.path(), &settings);
    assert!(well && said.contains("✓ application signer: 1 usable keys at http://127.0.0.1:"), "{said}");
    publisher.door("/jwks", Some(Door::Status(503)));
    let (well, said) = checked(room.path(), &settings);
    assert!(!well && said.contains("✗ application signer: its keys at http://127.0.0.1:"), "{said}");
    assert!(said.contains("cannot be had: the answer had status 503"), "{said}");
    publisher.door("/jwks", None);
    let none = json!({ "keys": [] }).to_string();
    publisher.publishes(&none);
    let (well, said) = checked(room.path(), &settings);
    assert!(!well && said.contains("✗ application signer: "), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn s1_r24_apply_makes_no_connection_live_by_which_nobody_could_sign_in() {
    let provider = LyingIdp::opens(Clock::System).await;
    let room = tempfile::tempdir().unwrap();
    let settings = [("BEHALF_EGRESS_ALLOW_LOOPBACK_AND_HTTP", "true")];
    let applies = |issuer: &str, state: &str, more: &[&str]| {
        let file = format!(
            "[organization.a]\n[connection.a]\norganization = \"a\"\nissuer = \"{issuer}\"\nclient_id = \"x\"\n\
             token_endpoint_auth_method = \"none\"\nstate = \"{state}\"\n"
        );
        std::fs::write(room.path().join("house.toml"), file).unwrap();
        behalf(room.path(), &[&["apply", "house.toml"], more].concat(), &settings)
    };
    let nowhere = format!("{}/nowhere", provider.issuer);
    let told = format!("connection a: nobody can sign in by {nowhere} as it is now: ");
    for more in [["--plan"].as_slice(), &[]] {
        let (fine, said) = applies(&nowhere, "active", more);
        assert!(!fine && said.contains(&format!("house.toml:4:10: {told}")), "{said}");
        assert!(said.contains("Nothing was changed.") && said.contains("--unheard"), "{said}");
    }
    let (fine, said) = applies(&nowhere, "draft", &[]);
    assert!(fine && said.contains("+ connection a") && !said.contains("nobody can"), "a draft waits: {said}");
    assert!(!applies(&nowhere, "active", &[]).0, "to make it live is the same");
    let (fine, said) = applies(&nowhere, "active", &["--unheard"]);
    assert!(fine && said.contains(&told), "{said}");
    // What is live already is for `check` to look at.
    let (fine, said) = applies(&nowhere, "active", &[]);
    assert!(fine && said.starts_with("Nothing to change.") && !said.contains("nobody can"), "{said}");
    let (fine, said) = applies(&provider.issuer, "active", &[]);
    assert!(fine && said.contains("issuer") && !said.contains("nobody can"), "{said}");
}
