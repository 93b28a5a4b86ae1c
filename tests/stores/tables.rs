//! Every table, and whose its rows are: one that is new stands in no list until somebody has decided that.

use std::collections::BTreeMap;

use behalf::store::durable::engine::Database;

use super::engine::{Empty, on_postgresql, on_sqlite};

/// Whose a row is.
#[derive(Clone, Copy, Debug)]
enum Of {
    /// It names its organization, always.
    Organization,
    /// It names two.
    Organizations,
    /// It names its organization, or is the project's own where it names none.
    OrganizationOrProject,
    /// It names its project; it is of the project as a whole.
    Project(&'static str),
    /// It is part of a row of another table, which it names.
    Part(&'static str, &'static str),
    /// It is of nobody: why.
    Nobody(&'static str),
}

use Of::{Nobody, Organization, OrganizationOrProject, Organizations, Part, Project};

const TABLES: &[(&str, Of)] = &[
    ("api_key_secrets", Part("api_keys", "api_key_id")),
    ("api_keys", OrganizationOrProject),
    ("application_organizations", Organization),
    ("application_origins", Part("applications", "application_id")),
    ("application_secrets", Part("applications", "application_id")),
    ("applications", OrganizationOrProject),
    ("audit_chains", Project("a chain is named by its organization, or is the project's")),
    ("audit_checkpoints", Project("of a chain, which its organization names")),
    ("audit_events", OrganizationOrProject),
    ("audit_links", Project("of a chain, which its organization names")),
    ("audit_seals", Nobody("how far a project's events are sealed: its id is the project's")),
    ("break_glass", Organization),
    ("browsers", Nobody("a browser may be signed in to several projects, and its record holds ids alone")),
    ("client_registrations", Part("applications", "application_id")),
    ("connection_hours", Part("connections", "connection_id")),
    ("connection_notices", Part("connections", "connection_id")),
    ("connection_run_failures", Part("connections", "connection_id")),
    ("connection_runs", Part("connections", "connection_id")),
    ("connection_tests", OrganizationOrProject),
    ("connection_upstreams", Part("connections", "connection_id")),
    ("connection_versions", Part("connections", "connection_id")),
    ("connections", OrganizationOrProject),
    ("consents", Part("applications", "application_id")),
    ("delegations", Organizations),
    ("device_codes", Project("a device is nobody's until somebody lets it in, and then theirs")),
    ("domain_connections", Part("domains", "domain_id")),
    ("domains", Organization),
    ("expected_members", Organization),
    ("grants", OrganizationOrProject),
    ("house", Nobody("what the installation as a whole knows of itself")),
    ("idempotency_keys", Project("of a caller, whose name holds the organization that they act for")),
    ("identities", Part("connections", "connection_id")),
    ("invitations", Organization),
    ("logout_notices", OrganizationOrProject),
    ("machine_grants", OrganizationOrProject),
    ("mails", OrganizationOrProject),
    ("membership_roles", Organization),
    ("memberships", Organization),
    ("metadata_reads", Part("connections", "connection_id")),
    ("organization_slugs", Organization),
    ("organizations", Project("it is the organization")),
    ("ownership_transfers", Organization),
    ("pairwise_salts", Project("people are people of the project, whatever organization they act for")),
    ("projects", Nobody("it is the project")),
    ("pushed_requests", Project("of an application, which names its organization in what it asks")),
    ("registration_tokens", Project("the operator's, for applications of the project")),
    ("role_rules", Organization),
    ("roles", OrganizationOrProject),
    ("saml_keys", Project("one certificate towards all identity providers of a project")),
    ("session_applications", Part("sessions", "session_id")),
    ("sessions", Project("a browser of a person, who may belong to several organizations")),
    ("sign_outs", Project("what ended may be of several organizations, or of none")),
    ("signing_keys", Project("one issuer for all organizations of a project")),
    ("upstream_sessions", Part("connections", "connection_id")),
    ("used", Nobody("what was used once: its scope names the connection or the application")),
    ("user_roles", Part("users", "user_id")),
    ("user_terms", Part("users", "user_id")),
    ("users", Project("a person may belong to several organizations")),
];

/// The columns of every table, and whether each must have a value.
pub type Schema = BTreeMap<String, BTreeMap<String, bool>>;

pub async fn schema(db: &Database, sql: &'static str) -> Schema {
    let mut schema = Schema::new();
    for row in db.all(sql, &[]).await.unwrap() {
        let (table, column): (String, String) = (row.get(0).unwrap(), row.get(1).unwrap());
        let required = row.get::<i64>(2).unwrap() == 1;
        schema.entry(table).or_default().insert(column, required);
    }
    schema.remove("refinery_schema_history");
    schema
}

pub const IN_SQLITE: &str = "SELECT m.name, c.name, CASE WHEN c.\"notnull\" = 1 OR c.pk > 0 THEN 1 ELSE 0 END
    FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%'";
pub const IN_POSTGRESQL: &str = "SELECT CAST(table_name AS TEXT), CAST(column_name AS TEXT),
        CAST(CASE WHEN is_nullable = 'NO' THEN 1 ELSE 0 END AS BIGINT)
    FROM information_schema.columns WHERE table_schema = current_schema()";

fn holds(schema: &Schema) {
    let decided: Vec<_> = TABLES.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(schema.keys().cloned().collect::<Vec<_>>(), decided, "whose are the rows of a new table?");
    for (name, of) in TABLES {
        let columns = &schema[*name];
        let required = |column: &str| columns.get(column).copied();
        match of {
            Organization => assert_eq!(required("organization_id"), Some(true), "{name}"),
            Organizations => {
                for column in ["home_organization_id", "target_organization_id"] {
                    assert_eq!(required(column), Some(true), "{name}");
                }
            }
            OrganizationOrProject => {
                assert_eq!(required("organization_id"), Some(false), "{name}");
                assert_eq!(required("project_id"), Some(true), "{name}");
            }
            Project(why) => {
                assert!(!why.is_empty() && required("organization_id").is_none(), "{name}");
                assert_eq!(required("project_id"), Some(true), "{name}");
            }
            Part(whole, column) => {
                assert!(schema.contains_key(*whole), "{name}");
                assert_eq!(required(column), Some(true), "{name}");
                assert_eq!(required("organization_id"), None, "{name}");
            }
            Nobody(why) => assert!(!why.is_empty() && required("organization_id").is_none(), "{name}"),
        }
    }
}

#[tokio::test]
async fn s0_01_every_row_is_somebodys_in_sqlite() {
    on_sqlite(|place| async { holds(&schema(&Empty::at(place).await.db, IN_SQLITE).await) }).await;
}

#[tokio::test]
async fn s0_01_every_row_is_somebodys_in_postgresql() {
    on_postgresql(|place| async { holds(&schema(&Empty::at(place).await.db, IN_POSTGRESQL).await) }).await;
}
