//! The account of what a provider's word opens (threats C02): a table of people that is new stands in neither of its lists
//! until somebody has decided that.

use std::collections::BTreeSet;

use super::engine::{Empty, on_postgresql, on_sqlite};
use super::tables::{IN_POSTGRESQL, IN_SQLITE, schema};

const ACCOUNT: &str = include_str!("../../src/store/durable/vouched.rs");

/// The tables that a list names in front of each colon.
fn listed(list: &str) -> BTreeSet<&str> {
    let lines = list.lines().filter_map(|line| line.strip_prefix("//! - "));
    lines.flat_map(|line| line.split(':').next().unwrap().split('`').skip(1).step_by(2)).collect()
}

/// Whether a column holds somebody: a user, an identity, a membership or an address, or who did something.
fn is_somebody(column: &str) -> bool {
    let names = ["email", "recipient", "shown_to", "used_by", "accepted_by", "identity_id", "membership_id"];
    names.contains(&column) || column.contains("user") || column.ends_with("_by")
}

fn holds(schema: &super::tables::Schema) {
    let (_, lists) = ACCOUNT.split_once("It counts").unwrap();
    let (counted, others) = lists.split_once("It does not count").unwrap();
    let (counted, others) = (listed(counted), listed(others));
    assert!(counted.is_disjoint(&others), "{counted:?} {others:?}");
    for table in counted.iter().chain(&others) {
        assert!(schema.contains_key(*table), "there is no {table}");
    }
    for (table, columns) in schema {
        let known = counted.contains(&**table) || others.contains(&**table);
        let people: Vec<_> = columns.keys().filter(|column| is_somebody(column)).collect();
        assert!(known || people.is_empty(), "does a provider's word open what {table} gives to {people:?}?");
    }
    // What is said to count is asked for: by its name, or where it has a file of its own.
    let code = ACCOUNT.split_whitespace().collect::<Vec<_>>().join(" ");
    for table in counted {
        let is_read = ["FROM", "JOIN"].iter().any(|word| code.contains(&format!("{word} {table} ")));
        assert!(is_read || code.contains(&format!(" {table}::")), "{table} is not read");
    }
}

#[tokio::test]
async fn c02_every_table_of_people_counts_or_gives_nothing_in_sqlite() {
    on_sqlite(|place| async { holds(&schema(&Empty::at(place).await.db, IN_SQLITE).await) }).await;
}

#[tokio::test]
async fn c02_every_table_of_people_counts_or_gives_nothing_in_postgresql() {
    on_postgresql(|place| async { holds(&schema(&Empty::at(place).await.db, IN_POSTGRESQL).await) }).await;
}
