//! The tests of the tests: what breaks the map is caught, and what keeps to it is let through.

use std::path::{Path, PathBuf};

use super::reader::{Module, names};
use super::{broken_arrows, is_module, strayed_libraries};

fn module(path: &str, source: &str) -> Module {
    let path: Vec<String> = path.split("::").map(str::to_owned).collect();
    let syntax = syn::parse_file(source).unwrap();
    let names = names(Path::new("snippet.rs"), &path, &syntax);
    Module { file: PathBuf::from("snippet.rs"), path, names }
}

fn arrows(path: &str, source: &str) -> usize {
    broken_arrows(&module(path, source)).len()
}

fn libraries(path: &str, source: &str) -> usize {
    strayed_libraries(&module(path, source)).len()
}

#[test]
fn catches_an_arrow_that_points_down_however_it_is_written() {
    for source in [
        "use crate::login::Login;",
        "use crate::{foundation::id::Id, login};",
        "use behalf::login as journey;",
        "use super::super::login::next::*;",
        "fn f() { crate::login::proceed() }",
        "fn f() -> crate::login::Login { todo!() }",
        "fn f() { info!(login = crate::login::name()) }",
        "use ::behalf::login;",
        "mod inner { use super::super::super::login; }",
        "impl From<crate::login::Fault> for Fault {}",
        "#[crate::login::attribute] fn f() {}",
    ] {
        assert_eq!(arrows("store::durable", source), 1, "{source}");
    }
}

#[test]
fn lets_through_what_points_up_and_what_is_a_test() {
    for source in [
        "use crate::foundation::{clock::Clock, id::Id}; use crate::model;",
        "use super::durable::Row; use self::inner::Row; fn f() { model::login::f() }",
        "#[cfg(test)] mod tests { use crate::login::Login; }",
        "#[cfg(test)] use crate::login::Login;",
        "fn f() { login::proceed() }",
    ] {
        assert_eq!(arrows("store::durable", source), 0, "{source}");
    }
}

#[test]
fn follows_a_name_that_a_use_brought_in() {
    let source = "use crate::protocol; fn f() { protocol::jose::f(); protocol::oidc::f() }";
    assert_eq!(arrows("protocol::oauth", "use crate::protocol::jose;"), 0);
    assert_eq!(arrows("store::durable", source), 3);
    assert_eq!(libraries("login", "use aws_lc_rs as lc; fn f() { lc::rand::fill(x) }"), 1);
    assert_eq!(libraries("login", "use std::time as t; use t::SystemTime as S; fn f() { S::now(); }"), 2);
    assert_eq!(libraries("login", "use std::time; fn f() { time::SystemTime::now(); }"), 1);
}

#[test]
fn catches_a_way_through_the_wall() {
    assert_eq!(
        arrows("protocol::jose", "use crate::protocol::oauth::Code;"),
        usize::from(is_module("protocol", "oauth"))
    );
    assert_eq!(arrows("store::ephemeral", "use super::durable::Row;"), 1);
    assert_eq!(arrows("store::ephemeral", "use super::{Fault, fault}; use crate::store::Fault;"), 0);
    assert_eq!(arrows("store", "use self::durable::Row;"), 0);
}

#[test]
fn catches_a_library_that_strays() {
    assert_eq!(libraries("login::arrive", "use axum::extract::Query;"), 1);
    assert_eq!(libraries("login::arrive::pages", "use axum::extract::Query;"), 0);
    assert_eq!(libraries("manage::domains::api", "fn f() { axum::Json(1); }"), 0);
    assert_eq!(libraries("web::reply", "use axum::{Json, response::Html};"), 0);
    assert_eq!(libraries("store::durable", "fn f() -> rusqlite::Connection { todo!() }"), 1);
    assert_eq!(libraries("store::durable::engine::sqlite", "use rusqlite::Connection;"), 0);
    assert_eq!(libraries("login", "use std::time::{Duration, SystemTime};"), 1);
    assert_eq!(libraries("login", "use std::time::Instant; fn f() { Instant::now(); }"), 1);
    assert_eq!(libraries("login", "fn f() { tokio::select! { x = reqwest::get(y) => {} } }"), 1);
}
