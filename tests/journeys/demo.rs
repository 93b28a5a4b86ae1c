//! The demo is walked as a newcomer's machine would: the real program, with its own servers.

use std::process::{Command, Output};

fn demo(arguments: &[&str], temporary: &std::path::Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_behalf"));
    command.arg("demo").args(arguments).env("TMPDIR", temporary);
    command.output().unwrap()
}

#[test]
fn s2_22_the_demo_runs_headless() {
    let temporary = tempfile::tempdir().unwrap();
    let output = demo(&["--headless"], temporary.path());
    let (told, log) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{told}\n{log}");
    let chapter = |title: &str| told.split("\n\n").find(|chapter| chapter.contains(title)).unwrap();
    let claim = |chapter: &str, name: &str| {
        let line = chapter.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name} in {chapter}")).trim().to_owned()
    };

    let ann = chapter("Ann signs in");
    let con = chapter("Con signs in with Contractor's identity provider, by SAML");
    let at_home = chapter("Acme CRM asks for Contractor itself");
    assert_eq!((claim(ann, "org_name"), claim(ann, "home_org_id")), ("my-corp".into(), "(absent)".into()));
    assert_eq!(claim(con, "email"), "con@contractor.example");
    assert_eq!(claim(con, "org_id"), claim(ann, "org_id"), "he acts for My Corporation");
    assert_eq!(claim(con, "home_org_id"), claim(at_home, "org_id"), "he is one of Contractor's");
    assert_eq!(claim(con, "idp"), claim(at_home, "idp"), "he came through Contractor's connection");
    assert_ne!(claim(con, "idp"), claim(ann, "idp"));
    assert!(con.contains("✓ where a signed SAML request led") && !ann.contains("SAML"), "{con}");
    assert!(claim(con, "delegation_id").starts_with("dlg_"));
    assert!(log.is_empty(), "nothing to warn of: {log}");
    assert_eq!(temporary.path().read_dir().unwrap().count(), 0, "nothing is left behind");
}

/// It has settings of its own.
#[test]
fn the_demo_offers_no_settings() {
    let help = |command: &str| {
        let told = Command::new(env!("CARGO_BIN_EXE_behalf")).args([command, "--help"]).output().unwrap();
        assert!(told.status.success(), "{command}");
        String::from_utf8(told.stdout).unwrap()
    };
    let (demo, serve) = (help("demo"), help("serve"));
    assert!(demo.contains("--headless") && serve.contains("--config") && serve.contains("BEHALF_CONFIG"));
    assert!(!demo.contains("--config") && !demo.contains("BEHALF_CONFIG"), "{demo}");
}

#[test]
fn a_demo_that_is_kept_goes_on_the_next_time() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("mine");
    let people = |output: &Output| {
        let (told, log) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success() && log.is_empty(), "{told}\n{log}");
        let database = rusqlite::Connection::open(folder.join("behalf.db")).unwrap();
        let mut rows = database.prepare("SELECT id FROM users ORDER BY id").unwrap();
        let ids: Vec<String> = rows.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        ids
    };
    let runs = || demo(&["--headless", "--keep", folder.to_str().unwrap()], temporary.path());
    let first = people(&runs());
    assert_eq!(first.len(), 2, "Ann and Con");
    assert_eq!(people(&runs()), first, "they are who they were");
    // What has come to listen there meanwhile is named.
    let ports = std::fs::read_to_string(folder.join("demo.ports")).unwrap();
    let port = ports.lines().nth(1).unwrap();
    let _taken = std::net::TcpListener::bind(format!("127.0.0.1:{port}")).unwrap();
    let output = runs();
    assert!(!output.status.success());
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(log.contains(port) && log.contains("take another folder"), "{log}");
}

#[test]
fn the_demo_does_not_touch_a_folder_that_is_there_already() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("mine");
    std::fs::create_dir(&folder).unwrap();
    let output = demo(&["--headless", "--keep", folder.to_str().unwrap()], temporary.path());
    assert!(!output.status.success());
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(log.contains("mine") && log.contains("name another folder"), "{log}");
    assert_eq!(folder.read_dir().unwrap().count(), 0);
}
