//! Who may import whom, and which foreign library lives in which room. The tables are the map; the rest reads
//! every file of the house with `syn` and holds it against them.
//!
//! Test modules (`#[cfg(test)]`) may look anywhere. What hides in strings (`#[serde(with = "…")]`) is not seen.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{Ident, TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, File, Item, UseTree};

/// A room, and the rooms that it may import. An arrow only points up this list.
const ROOMS: &[(&str, &str)] = &[
    ("foundation", ""),
    ("protocol", "foundation"),
    ("model", "foundation protocol"),
    ("config", "foundation"),
    ("telemetry", "foundation config"),
    ("egress", "foundation config"),
    ("store", "foundation model config"),
    ("keys", "foundation protocol model store"),
    ("audit", "foundation model store"),
    ("broker", "foundation model config egress store keys audit"),
    ("web", "foundation protocol model config broker"),
    ("login", "foundation protocol model config telemetry egress store keys audit broker web"),
    ("publish", "foundation protocol model store keys broker web"),
    ("manage", "foundation protocol model config egress store keys audit broker web"),
    ("provision", "foundation protocol model store audit broker web"),
    ("chores", "foundation protocol model egress store keys audit broker"),
    ("router", "broker web login publish manage provision"),
    (
        "cli",
        "foundation protocol model config telemetry egress store keys audit broker web login publish manage \
         provision chores router",
    ),
    ("main", "cli"),
];

/// A corridor, and its hallway. Everything else on the corridor is a room, and those do not import each other.
const CORRIDORS: &[(&str, &str)] = &[
    ("protocol", "problem"),
    ("store", ""),
    ("login", "next refusal pages api"),
    ("manage", "authority pages api"),
];

/// The doors between rooms of one corridor.
const DOORS: &[(&str, &str)] = &[
    ("protocol::oauth", "protocol::jose"),
    ("protocol::oidc", "protocol::jose"),
    ("protocol::oidc", "protocol::oauth"),
];

/// Foreign names, and the only modules that may say them. `*::pages` is a module of that name in any room.
const LIBRARIES: &[(&str, &str)] = &[
    ("axum", "*::pages *::api web router cli::serve cli::demo"),
    ("axum_server", "cli::serve cli::demo"),
    ("rusqlite", "store::durable::engine"),
    ("tokio_postgres", "store::durable::engine"),
    ("tokio_postgres_rustls", "store::durable::engine"),
    ("deadpool_postgres", "store::durable::engine"),
    ("reqwest", "egress"),
    ("hickory_resolver", "egress::dns"),
    ("std::time::SystemTime", "foundation::clock"),
    ("std::time::Instant::now", "foundation::clock"),
    ("tokio::time::Instant::now", "foundation::clock"),
    ("jiff", "foundation::clock"),
    ("aws_lc_rs::rand", "foundation::random"),
];

#[test]
fn arrows_only_point_up() {
    assert_none(read_house().iter().flat_map(broken_arrows).collect());
}

#[test]
fn a_foreign_library_stays_in_its_room() {
    assert_none(read_house().iter().flat_map(strayed_libraries).collect());
}

#[test]
fn every_room_is_on_the_map() {
    let rooms: BTreeSet<String> =
        read_house().into_iter().filter_map(|module| module.path.into_iter().next()).collect();
    let unknown: Vec<_> =
        rooms.into_iter().filter(|room| !ROOMS.iter().any(|(known, _)| known == room)).collect();
    assert_none(unknown);
}

#[test]
fn the_map_itself_has_no_way_round() {
    for (place, (room, above)) in ROOMS.iter().enumerate() {
        for import in above.split_whitespace() {
            assert!(
                ROOMS[..place].iter().any(|(earlier, _)| earlier == &import),
                "{room} -> {import} points down"
            );
        }
    }
}

#[test]
fn every_file_is_reached() {
    let mut reached = BTreeSet::new();
    for root in roots() {
        reached.extend(modules(&root, Vec::new(), true).into_iter().map(|module| module.file));
    }
    let files = ["src", "tests", "examples"].iter().flat_map(|folder| rust_files(&home().join(folder)));
    assert_none(files.filter(|file| !reached.contains(file)).map(|file| shown(&file)).collect());
}

fn broken_arrows(module: &Module) -> Vec<String> {
    let Some(room) = module.path.first() else { return Vec::new() };
    let allowed = ROOMS.iter().find(|(known, _)| known == room).map_or("", |(_, allowed)| *allowed);
    let own =
        |name: &Name| name.path.first().filter(|first| *first == "crate").and(name.path.get(1)).cloned();
    let mut broken = Vec::new();
    for name in &module.names {
        let Some(target) = own(name) else { continue };
        let is_room = ROOMS.iter().any(|(known, _)| *known == target);
        let may = target == *room || allowed.split_whitespace().any(|import| import == target) || !is_room;
        let through_wall = target == *room && through_wall(&module.path, &name.path[1..]);
        if !may || through_wall {
            broken.push(format!(
                "{}: {} must not import {}",
                name.place,
                module.path.join("::"),
                name.path.join("::")
            ));
        }
    }
    broken
}

/// Whether this leads from one room of a corridor straight into another one.
fn through_wall(from: &[String], to: &[String]) -> bool {
    let Some((corridor, hallway)) = CORRIDORS.iter().find(|(corridor, _)| *corridor == from[0]) else {
        return false;
    };
    let room = |path: &[String]| {
        path.get(1).filter(|room| !hallway.split_whitespace().any(|open| open == *room)).cloned()
    };
    // What stands in the corridor itself is a type or a function, not a room, and begins no folder or file.
    let (Some(from), Some(to)) = (room(from), room(to).filter(|to| is_module(corridor, to))) else {
        return false;
    };
    let (from_room, to_room) = (format!("{corridor}::{from}"), format!("{corridor}::{to}"));
    from != to && !DOORS.contains(&(from_room.as_str(), to_room.as_str()))
}

fn is_module(corridor: &str, name: &str) -> bool {
    let folder = home().join("src").join(corridor);
    folder.join(name).is_dir() || folder.join(format!("{name}.rs")).is_file()
}

fn strayed_libraries(module: &Module) -> Vec<String> {
    let here = module.path.join("::");
    let lives_here = |homes: &str| homes.split_whitespace().any(|home| is_home(&module.path, home));
    let strayed = module.names.iter().flat_map(|name| {
        let path = name.path.join("::");
        let says = move |library: &str| path == library || path.starts_with(&format!("{library}::"));
        LIBRARIES.iter().filter(move |(library, homes)| says(library) && !lives_here(homes)).map(
            |(library, homes)| {
                format!("{}: {here} must not use {library}, which lives in {homes}", name.place)
            },
        )
    });
    strayed.collect()
}

fn is_home(path: &[String], home: &str) -> bool {
    match home.strip_prefix("*::") {
        Some(any) => path.iter().any(|part| part == any),
        None => home.split("::").eq(path.iter().map(String::as_str).take(home.split("::").count())),
    }
}

/// A file or an inline module, and every path that it says.
struct Module {
    file: PathBuf,
    path: Vec<String>,
    names: Vec<Name>,
}

/// A path as it was meant: `crate::…` for our own, the crate's name first for a foreign one.
struct Name {
    path: Vec<String>,
    place: String,
}

fn read_house() -> Vec<Module> {
    let mut house = modules(&home().join("src/lib.rs"), Vec::new(), false);
    house.extend(modules(&home().join("src/main.rs"), vec!["main".to_owned()], false));
    house
}

/// Every file that Cargo starts from.
fn roots() -> Vec<PathBuf> {
    let manifest: toml::Table = fs::read_to_string(home().join("Cargo.toml")).unwrap().parse().unwrap();
    let targets =
        ["bin", "test", "bench", "example"].iter().filter_map(|kind| manifest.get(*kind)?.as_array());
    let paths = targets.flatten().filter_map(|target| target.get("path")?.as_str());
    ["src/lib.rs"].into_iter().chain(paths).map(|path| home().join(path)).collect()
}

/// A file and all that its `mod`s lead to.
fn modules(file: &Path, path: Vec<String>, with_tests: bool) -> Vec<Module> {
    let source = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", shown(file)));
    let syntax = syn::parse_file(&source).unwrap_or_else(|error| panic!("{}: {error}", shown(file)));
    let mut found =
        vec![Module { file: file.to_owned(), names: names(file, &path, &syntax), path: path.clone() }];
    let is_root = path.is_empty() || path == ["main"] || file.ends_with("main.rs");
    let folder = match file.file_name().and_then(|name| name.to_str()) {
        Some("mod.rs") => file.parent().unwrap().to_owned(),
        _ if is_root => file.parent().unwrap().to_owned(),
        _ => file.with_extension(""),
    };
    let path = if is_root { Vec::new() } else { path };
    for (inline, attributes, name) in outlined(&syntax.items, &[], with_tests) {
        let folder = inline.iter().fold(folder.clone(), |folder, part| folder.join(part));
        let file = match named_path(&attributes) {
            Some(named) => file.parent().unwrap().join(named),
            None => [folder.join(format!("{name}.rs")), folder.join(&name).join("mod.rs")]
                .into_iter()
                .find(|file| file.is_file())
                .unwrap_or_else(|| panic!("no file for `mod {name}` of {}", shown(file))),
        };
        let path = path.iter().cloned().chain(inline).chain([name]).collect();
        found.extend(modules(&file, path, with_tests));
    }
    found
}

/// Every `mod name;`, with the inline modules around it.
fn outlined(
    items: &[Item],
    around: &[String],
    with_tests: bool,
) -> Vec<(Vec<String>, Vec<Attribute>, String)> {
    let mut found = Vec::new();
    for item in items {
        let Item::Mod(module) = item else { continue };
        if !with_tests && is_test(&module.attrs) {
            continue;
        }
        let name = module.ident.to_string();
        match &module.content {
            None => found.push((around.to_vec(), module.attrs.clone(), name)),
            Some((_, items)) => found.extend(outlined(items, &[around, &[name]].concat(), with_tests)),
        }
    }
    found
}

fn is_test(attributes: &[Attribute]) -> bool {
    let is_test = |attribute: &Attribute| match &attribute.meta {
        syn::Meta::List(list) => list.path.is_ident("cfg") && list.tokens.to_string() == "test",
        _ => false,
    };
    attributes.iter().any(is_test)
}

fn named_path(attributes: &[Attribute]) -> Option<String> {
    attributes.iter().find_map(|attribute| match &attribute.meta {
        syn::Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
            syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => Some(text.value()),
            _ => None,
        },
        _ => None,
    })
}

/// Every path that a file says outside its tests, in `use`s, in code and inside macros.
fn names(file: &Path, path: &[String], syntax: &File) -> Vec<Name> {
    let mut reader = Reader { file, module: path.to_vec(), said: Vec::new(), brought: BTreeMap::new() };
    reader.visit_file(syntax);
    let Reader { said, brought, .. } = reader;
    said.into_iter().map(|name| Name { path: meant(name.path, &brought), place: name.place }).collect()
}

/// Follows a name that a `use` has brought in: after `use crate::login`, `login::issue` is `crate::login::issue`.
fn meant(path: Vec<String>, brought: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    let mut path = path;
    // A few times, for a `use` that builds on another one.
    for _ in 0..4 {
        match brought.get(&path[0]) {
            Some(origin) if path.len() > 1 => path = [origin, &path[1..]].concat(),
            _ => break,
        }
    }
    path
}

struct Reader<'a> {
    file: &'a Path,
    module: Vec<String>,
    said: Vec<Name>,
    brought: BTreeMap<String, Vec<String>>,
}

impl Reader<'_> {
    /// Notes a path; `self`, `super` and our own crate's name become `crate`.
    fn say(&mut self, words: &[Ident]) -> Vec<String> {
        let mut path: Vec<String> = words.iter().map(ToString::to_string).collect();
        let ours = if self.module == ["main"] { &[] } else { &self.module[..] };
        let ups = path.iter().take_while(|part| *part == "super").count();
        match path.first().map(String::as_str) {
            Some("behalf") => path[0] = "crate".to_owned(),
            Some("self") => {
                path.splice(..1, ["crate".to_owned()].into_iter().chain(ours.to_vec()));
            }
            Some("super") => {
                let above = &ours[..ours.len().saturating_sub(ups)];
                path.splice(..ups, ["crate".to_owned()].into_iter().chain(above.to_vec()));
            }
            _ => {}
        }
        if let Some(first) = words.first() {
            let place = format!("{}:{}", shown(self.file), first.span().start().line);
            self.said.push(Name { path: path.clone(), place });
        }
        path
    }

    fn import(&mut self, tree: &UseTree, before: &[Ident]) {
        let with = |ident: &Ident| [before, &[ident.clone()]].concat();
        match tree {
            UseTree::Path(path) => self.import(&path.tree, &with(&path.ident)),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.import(tree, before)),
            UseTree::Glob(_) => drop(self.say(before)),
            UseTree::Name(name) if name.ident == "self" => {
                if let Some(last) = before.last() {
                    self.bring(before, &last.to_string());
                }
            }
            UseTree::Name(name) => self.bring(&with(&name.ident), &name.ident.to_string()),
            UseTree::Rename(rename) if rename.ident == "self" => {
                self.bring(before, &rename.rename.to_string())
            }
            UseTree::Rename(rename) => self.bring(&with(&rename.ident), &rename.rename.to_string()),
        }
    }

    fn bring(&mut self, words: &[Ident], name: &str) {
        let path = self.say(words);
        // `use tokio;` says nothing new, and would lead in a circle.
        if path.first().is_some_and(|first| first != name) {
            self.brought.insert(name.to_owned(), path);
        }
    }

    /// Macros are not syntax yet; anything that looks like a path in one is taken for a path.
    fn read_tokens(&mut self, tokens: TokenStream) {
        let mut words: Vec<Ident> = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Punct(sign) if sign.as_char() == ':' => colons += 1,
                TokenTree::Ident(word) => {
                    if colons != 2 {
                        self.end_of_path(&mut words);
                    }
                    words.push(word);
                    colons = 0;
                }
                other => {
                    self.end_of_path(&mut words);
                    colons = 0;
                    if let TokenTree::Group(group) = other {
                        self.read_tokens(group.stream());
                    }
                }
            }
        }
        self.end_of_path(&mut words);
    }

    fn end_of_path(&mut self, words: &mut Vec<Ident>) {
        if words.len() > 1 {
            self.say(words);
        }
        words.clear();
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        let attributes: &[Attribute] = match item {
            Item::Fn(item) => &item.attrs,
            Item::Impl(item) => &item.attrs,
            Item::Mod(item) => &item.attrs,
            Item::Use(item) => &item.attrs,
            _ => &[],
        };
        if !is_test(attributes) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        self.module.push(module.ident.to_string());
        visit::visit_item_mod(self, module);
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.import(&item.tree, &[]);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let words: Vec<Ident> = path.segments.iter().map(|segment| segment.ident.clone()).collect();
        if words.len() > 1 {
            self.say(&words);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, invocation: &'ast syn::Macro) {
        self.visit_path(&invocation.path);
        self.read_tokens(invocation.tokens.clone());
    }
}

fn home() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn shown(file: &Path) -> String {
    file.strip_prefix(home()).unwrap_or(file).display().to_string()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut found = Vec::new();
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() && !path.ends_with("node_modules") {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

fn assert_none(complaints: Vec<String>) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

/// The tests of the tests: each of these must be caught, or must be let through.
mod the_reader {
    use super::*;

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
}
