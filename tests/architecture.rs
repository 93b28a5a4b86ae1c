//! Who may import whom, and which foreign library lives in which room. The tables are the map; the rest reads
//! every file of the house with `syn` and holds it against them.
//!
//! Test modules (`#[cfg(test)]`) may look anywhere. What hides in strings (`#[serde(with = "…")]`) is not seen.

mod plans;
mod reader;
mod rows;
mod statements;
mod trials;

use std::collections::BTreeSet;

use reader::{Module, Name, home, modules, read_house, roots, rust_files, shown};

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
    ("join", "foundation model store audit"),
    ("broker", "foundation model config egress store keys audit join"),
    ("web", "foundation protocol model config telemetry store keys broker"),
    ("login", "foundation protocol model config telemetry egress store keys audit join broker web"),
    ("publish", "foundation protocol model telemetry store keys broker web"),
    ("manage", "foundation protocol model config telemetry egress store keys audit join broker web"),
    ("provision", "foundation protocol model store audit join broker web"),
    // Mails look like pages.
    ("chores", "foundation protocol model telemetry egress store keys audit join broker web"),
    ("router", "broker web login publish manage provision"),
    (
        "cli",
        "foundation protocol model config telemetry egress store keys audit join broker web login publish manage \
         provision chores router",
    ),
    ("main", "cli"),
];

/// A corridor, and its hallway. Everything else on the corridor is a room, and those do not import each other.
const CORRIDORS: &[(&str, &str)] = &[
    ("protocol", "problem"),
    ("store", ""),
    ("login", "next refusal flow back departure diagnosis doorstep counted client_keys question pages api"),
    ("manage", "authority caller desk last_way opening publishers refused pages api"),
];

/// The doors between rooms of one corridor.
const DOORS: &[(&str, &str)] = &[
    ("protocol::oauth", "protocol::jose"),
    ("protocol::oidc", "protocol::jose"),
    ("protocol::oidc", "protocol::oauth"),
    // What a provider says of itself, its keys first of all, is looked up in one way.
    ("login::leave", "login::authenticate"),
    // Whoever pushes a request proves who it is as at the token endpoint.
    ("login::arrive", "login::issue"),
    // Whoever lets in a device of others allows what they would be asked to allow at a browser.
    ("login::device", "login::consent"),
    // Roles are given by one rule, whoever is given them.
    ("manage::invitations", "manage::people"),
    // What may be said of a connection has one set of rules.
    ("manage::house_file", "manage::connections"),
    // What an operator writes down is done by the operations of the rooms, and judged by their rules.
    ("manage::house_file", "manage::applications"),
    ("manage::house_file", "manage::delegations"),
    ("manage::house_file", "manage::domains"),
    ("manage::house_file", "manage::organizations"),
    ("manage::house_file", "manage::people"),
    ("manage::house_file", "manage::policy"),
    ("manage::house_file", "manage::role_rules"),
    ("manage::house_file", "manage::roles"),
    // Who registers itself is an application like any other, by the same rules.
    ("manage::registration", "manage::applications"),
    // What somebody sees and ends at their own page is what the API has of it.
    ("manage::account", "manage::people"),
    ("manage::account", "manage::session"),
    // Who is to own a new organization may still have to be invited.
    ("manage::organizations", "manage::invitations"),
];

/// Foreign names, and the only modules that may say them. `*::pages` is a module of that name in any room.
const LIBRARIES: &[(&str, &str)] = &[
    ("axum", "*::pages *::api web publish router cli::serve cli::demo"),
    // The administration API has one table of routes, and no room of it a door of its own.
    ("axum::routing", "router manage::api cli"),
    ("schemars", "manage"),
    ("axum_server", "cli"),
    ("rusqlite", "store::durable::engine"),
    ("tokio_postgres", "store::durable::engine"),
    ("tokio_postgres_rustls", "store::durable::engine"),
    ("deadpool_postgres", "store::durable::engine"),
    ("reqwest", "egress"),
    ("lettre", "egress::mail"),
    ("hickory_resolver", "egress::dns cli::demo::dns_zone"),
    ("std::time::SystemTime", "foundation::clock"),
    ("std::time::Instant::now", "foundation::clock"),
    ("tokio::time::Instant::now", "foundation::clock"),
    ("jiff", "foundation::clock"),
    ("roxmltree", "protocol::saml::xml"),
    ("aws_lc_rs::rand", "foundation::random"),
    ("psl", "foundation::public_suffix"),
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

fn assert_none(complaints: Vec<String>) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}
