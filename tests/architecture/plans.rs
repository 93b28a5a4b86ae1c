//! No statement reads more in a larger house: SQLite's own plan of each, without figures of what is in the tables, as it runs.

use rusqlite::Connection;

use super::reader::home;
use super::statements::statements;

const FEW: &str = "there are few";
const ONE: &str = "the first one that there is, or so many in the order of the index";
const QUEUE: &str = "a queue, from its beginning";
const APPLY: &str = "the operator applies a file, which says what becomes of all of them";
const CLI: &str = "the operator asks at the console for all of them";
const ROLE: &str = "the operator takes a role from the project, wherever it is given";

/// Statements that read all of a table, or of a project, by how they begin; and why they may.
#[rustfmt::skip]
const MAY: &[(&str, &str)] = &[
    ("SELECT id, slug, display_name, settings, created_at, updated_at, disabled_at FROM projects ORDER BY slug", FEW),
    ("SELECT id, project_id, algorithm, generation, public_jwk, private_key, created_at, signs_from, signs_until, ", FEW),
    ("SELECT id, project_id, purpose, generation, certificate, private_key, created_at, begins_at, ends_at, ", FEW),
    ("SELECT salt FROM pairwise_salts WHERE project_id = $1", FEW),
    ("UPDATE saml_keys SET private_key = $2 WHERE kept_until < $1", FEW),
    ("UPDATE signing_keys SET private_key = $2 WHERE published_until < $1", FEW),
    ("SELECT id FROM connections WHERE project_id = $1 LIMIT 1", ONE),
    ("SELECT id FROM organizations WHERE project_id = $1 LIMIT 1", ONE),
    ("SELECT place FROM audit_links WHERE project_id = $1 LIMIT 1", ONE),
    ("SELECT chain FROM audit_chains WHERE project_id = $1 ORDER BY chain LIMIT $2", ONE),
    ("SELECT application_id FROM logout_notices WHERE next_try_at <= $1", QUEUE),
    ("SELECT kind, ended_id, within_id, project_id FROM sign_outs ORDER BY created_at", QUEUE),
    ("SELECT DISTINCT organization_id FROM applications WHERE project_id = $1", APPLY),
    ("SELECT a.client_id, o.slug FROM applications a JOIN organizations o", APPLY),
    ("SELECT name FROM domains WHERE project_id = $1 AND state = 'verified'", APPLY),
    ("SELECT r.connection_id, d.name FROM domains d JOIN domain_connections r", APPLY),
    ("SELECT id, project_id, client_id, display_name, settings, created_at, updated_at, disabled_at, ", CLI),
    ("SELECT d.id, d.project_id, d.organization_id, d.name, ", CLI),
    ("SELECT auto_join FROM domains WHERE project_id = $1", ROLE),
    ("SELECT policy FROM organizations WHERE project_id = $1", ROLE),
    ("SELECT roles FROM expected_members WHERE project_id = $1", ROLE),
    ("SELECT roles FROM invitations WHERE project_id = $1", ROLE),
    ("SELECT settings FROM delegations WHERE project_id = $1", ROLE),
    ("SELECT settings, organization_id FROM connections WHERE project_id = $1 AND REPLACE(", ROLE),
    ("UPDATE expected_members SET roles = REPLACE(REPLACE(REPLACE(roles, $2, ''), $3, ''), $4, '') WHERE project_id", ROLE),
    ("UPDATE invitations SET roles = REPLACE(REPLACE(REPLACE(roles, $2, ''), $3, ''), $4, '') WHERE project_id", ROLE),
];

/// Whether a step of a statement's plan reads every row of a table, or every one of a project.
fn reads_all(statement: &str, tables: &[String], step: &str) -> bool {
    let scanned = step.strip_prefix("SCAN ").and_then(|rest| rest.split(' ').next());
    // What a statement makes itself is as long as it makes it.
    let is_table = |name: &str| {
        let is = |table: &String| {
            let named = |word: &str| statement.contains(&format!("{word} {table} {name}"));
            table == name || named("FROM") || named("JOIN")
        };
        tables.iter().any(is)
    };
    scanned.is_some_and(is_table) || step.contains("(project_id=?)") || step.contains("AUTOMATIC")
}

fn tables(db: &Connection) -> Vec<String> {
    let mut asked = db.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").unwrap();
    let names = asked.query_map([], |row| row.get(0)).unwrap();
    names.map(Result::unwrap).collect()
}

fn plan(db: &Connection, statement: &str) -> Vec<String> {
    let asked = db.prepare(&format!("EXPLAIN QUERY PLAN {statement}"));
    let mut asked = asked.unwrap_or_else(|error| panic!("{statement}: {error}"));
    let nothing: Vec<Option<i64>> = vec![None; asked.parameter_count()];
    let steps = asked.query_map(rusqlite::params_from_iter(nothing), |row| row.get(3)).unwrap();
    steps.map(Result::unwrap).collect()
}

#[test]
fn no_statement_reads_more_in_a_larger_house() {
    let db = Connection::open_in_memory().unwrap();
    let schema = home().join("src/store/durable/migrations/V1__nouns.sql");
    db.execute_batch(&std::fs::read_to_string(schema).unwrap()).unwrap();
    let (tables, all) = (tables(&db), statements());
    // Fewer: the reader has not found them all.
    assert!(all.len() > 500, "{}", all.len());
    let mut faults = Vec::new();
    let mut used = vec![false; MAY.len()];
    for statement in &all {
        let mut steps = plan(&db, statement);
        steps.retain(|step| reads_all(statement, &tables, step));
        if steps.is_empty() {
            continue;
        }
        match MAY.iter().position(|(begins, _)| statement.starts_with(begins)) {
            Some(at) => used[at] = true,
            None => faults.push(format!("{statement}\n    {}", steps.join("\n    "))),
        }
    }
    assert!(faults.is_empty(), "{} read all there is:\n{}", faults.len(), faults.join("\n"));
    let idle: Vec<_> = MAY.iter().zip(&used).filter(|(_, used)| !**used).map(|(may, _)| may.0).collect();
    assert!(idle.is_empty(), "no such statement reads all there is any more: {idle:?}");
}

#[test]
fn a_statement_that_reads_all_there_is_is_seen() {
    let db = Connection::open_in_memory().unwrap();
    db.execute_batch(
        "CREATE TABLE things (id TEXT PRIMARY KEY, project_id TEXT, owner TEXT);
                      CREATE INDEX things_by_project ON things (project_id, id);",
    )
    .unwrap();
    let tables = tables(&db);
    let sees = |statement: &str| plan(&db, statement).iter().any(|step| reads_all(statement, &tables, step));
    for all in [
        "SELECT id FROM things WHERE owner = $1",
        "SELECT t.id FROM things t WHERE t.owner = $1",
        "SELECT id FROM things WHERE project_id = $1 AND owner = $2",
        "DELETE FROM things WHERE owner = $1",
        "SELECT a.id FROM things a JOIN things b ON b.owner = a.owner WHERE a.id = $1",
    ] {
        assert!(sees(all), "{all}");
    }
    for few in [
        "SELECT id FROM things WHERE id = $1",
        "SELECT id FROM things WHERE project_id = $1 AND id > $2 ORDER BY id LIMIT $3",
        "SELECT t.id FROM (SELECT id FROM things WHERE id = $1) t",
    ] {
        assert!(!sees(few), "{few}");
    }
}
