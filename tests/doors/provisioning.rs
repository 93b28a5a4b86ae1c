//! An operator writes the house down in a file: `behalf apply`, `behalf check`, `behalf key`, `behalf domain`.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::LazyLock;

use behalf::broker::Broker;
use behalf::config::Config;
use behalf::foundation::clock::Clock;
use behalf::foundation::email::Email;
use behalf::foundation::id::{MembershipId, UserId};
use behalf::foundation::random::Random;
use behalf::foundation::secret::Digest;
use behalf::keys::connection_secret;
use behalf::manage::house_file::{ApplyError, HouseFile, HouseFileError, Mode, Report, apply};
use behalf::model::connection::Connection;
use behalf::model::domain::{Domain, DomainState};
use behalf::model::membership::{Membership, MembershipKind, MembershipSource, MembershipStatus};
use behalf::model::organization::Organization;
use behalf::model::project::{MembershipMode, Project};
use behalf::model::user::{Profile, User};
use behalf::protocol::jose::{Algorithm, SigningKey};
use behalf::store::durable::engine::StoreError;
use behalf::store::durable::{
    applications, connections, delegations, domains, memberships, organizations, projects, users,
};
use data_encoding::HEXLOWER;

use super::saml_connections::{IDP, NEXT_DECRYPTION, NEXT_SIGNING, NOW, OTHER_IDP};
use crate::house::postgres;

pub(super) const EXAMPLE: &str = include_str!("../../examples/house.toml");
const UPSTREAM: &str = "upstream-secret-that-nobody-may-see";
const DOWNSTREAM: &str = "downstream-secret-that-nobody-may-see";

/// The variables that the example names.
static ENVIRONMENT: LazyLock<BTreeMap<&str, String>> = LazyLock::new(|| {
    let key = SigningKey::generate(Algorithm::EdDSA, "k").unwrap();
    let pem = pem(&key);
    let jwks = serde_json::json!({ "keys": [key.public_jwk()] }).to_string();
    BTreeMap::from([
        ("MY_CORP_CLIENT_SECRET", UPSTREAM.to_owned()),
        ("ENTRA_CLIENT_SECRET", "entra-secret".to_owned()),
        ("GOOGLE_CLIENT_SECRET", "google-secret".to_owned()),
        ("CONTRACTOR_PRIVATE_KEY", pem),
        ("CRM_CLIENT_SECRET", DOWNSTREAM.to_owned()),
        ("REPORTS_JWKS", jwks),
        ("SHORT", "31-characters-are-not-enough-no".to_owned()),
        ("BLANK", " ".to_owned()),
        ("PARTNER_CERTIFICATE", IDP.certificate.pem()),
        ("PARTNER_SIGNING_KEY", IDP.key_pem.clone()),
        ("PARTNER_SIGNING_CERTIFICATE", IDP.certificate.pem()),
        ("PARTNER_DECRYPTION_KEY", OTHER_IDP.key_pem.clone()),
        ("PARTNER_DECRYPTION_CERTIFICATE", OTHER_IDP.certificate.pem()),
        ("PARTNER_NEXT_SIGNING_KEY", NEXT_SIGNING.key_pem.clone()),
        ("PARTNER_NEXT_SIGNING_CERTIFICATE", NEXT_SIGNING.certificate.pem()),
        ("PARTNER_NEXT_DECRYPTION_KEY", NEXT_DECRYPTION.key_pem.clone()),
        ("PARTNER_NEXT_DECRYPTION_CERTIFICATE", NEXT_DECRYPTION.certificate.pem()),
        ("PRIVATE_JWKS", r#"{"keys":[{"kty":"oct","k":"AAAA"}]}"#.to_owned()),
    ])
});

fn pem(key: &SigningKey) -> String {
    let der = data_encoding::BASE64.encode(&key.to_pkcs8().unwrap());
    format!("-----BEGIN PRIVATE KEY-----\n{der}\n-----END PRIVATE KEY-----\n")
}

/// Where the paths of the files begin.
pub(super) static FOLDER: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let metadata = IDP.metadata("https://idp.partner.test/saml");
    std::fs::write(folder.path().join("partner-metadata.xml"), metadata).unwrap();
    folder
});

pub(super) fn parse(text: &str) -> Result<HouseFile, HouseFileError> {
    HouseFile::parse(text, FOLDER.path(), &|name| ENVIRONMENT.get(name).cloned())
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Engine {
    Sqlite,
    Postgres,
}

pub(super) const ENGINES: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];

/// An empty house on an engine of one's own.
pub(super) struct House {
    pub(super) broker: Broker,
    pub(super) clock: Clock,
    folder: tempfile::TempDir,
    postgres: Option<postgres::Database>,
}

impl House {
    pub(super) async fn empty(engine: Engine) -> Self {
        Self::with(engine, |_| ()).await
    }
    /// One whose providers may be on this computer.
    pub(super) async fn open_to_here(engine: Engine) -> Self {
        Self::with(engine, |config| config.egress.allow_loopback_and_http = true).await
    }
    async fn with(engine: Engine, change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let postgres = match engine {
            Engine::Sqlite => None,
            Engine::Postgres => Some(postgres::Database::empty().await),
        };
        let mut config = Config::default();
        config.keys.folder = folder.path().join("keys");
        config.database.url = match &postgres {
            Some(database) => database.url(),
            None => format!("sqlite:{}", folder.path().join("house.db").display()),
        };
        change(&mut config);
        let clock = Clock::set_to(NOW);
        let broker = Broker::open(config, clock.clone(), Random::System).await.unwrap();
        Self { broker, clock, folder, postgres }
    }

    pub(super) async fn try_to(&self, text: &str, mode: Mode) -> Result<Report, ApplyError> {
        apply(&self.broker, &parse(text).unwrap_or_else(|error| panic!("{error}")), mode).await
    }
    pub(super) async fn plan(&self, text: &str) -> Vec<String> {
        told(&self.try_to(text, Mode::Plan).await.unwrap_or_else(|error| panic!("{error}")))
    }
    pub(super) async fn apply(&self, text: &str) -> Vec<String> {
        told(&self.try_to(text, Mode::Apply).await.unwrap_or_else(|error| panic!("{error}")))
    }
    /// The faults of a file that is refused, by itself or by what is there.
    pub(super) async fn refused(&self, text: &str) -> Vec<String> {
        let refused = match parse(text) {
            Err(error) => error,
            Ok(file) => match apply(&self.broker, &file, Mode::Apply).await {
                Err(ApplyError::Refused(error)) => error,
                other => panic!("{text}\nmust be refused: {other:?}"),
            },
        };
        refused.faults.iter().map(ToString::to_string).collect()
    }

    /// Every row of every table, as text.
    pub(super) async fn rows(&self) -> Vec<String> {
        match &self.postgres {
            Some(database) => postgres_rows(&database.url()).await,
            None => sqlite_rows(&self.folder.path().join("house.db")),
        }
    }

    pub(super) async fn project(&self) -> Project {
        projects::by_slug(&mut &self.broker.db, "default").await.unwrap().unwrap()
    }
    pub(super) async fn organization(&self, slug: &str) -> Option<Organization> {
        organizations::by_slug(&mut &self.broker.db, self.project().await.id, slug).await.unwrap()
    }
    pub(super) async fn connection(&self, slug: &str) -> Connection {
        let project = self.project().await.id;
        connections::by_slug(&mut &self.broker.db, project, slug).await.unwrap().unwrap()
    }
    async fn domain(&self, name: &str) -> Domain {
        let project = self.project().await.id;
        let name = name.parse().unwrap();
        domains::claims(&mut &self.broker.db, project, &name).await.unwrap().remove(0)
    }
    async fn put_domain(&self, domain: Domain) {
        let written: Result<(), StoreError> =
            self.broker.db.write(async move |tx| domains::update(tx, &domain).await).await;
        written.unwrap();
    }
    /// Whom the file expects has signed in.
    async fn comes(&self, email: &str) -> UserId {
        let (project, now) = (self.project().await, self.broker.now());
        let email = Email::parse(email).unwrap();
        let id = UserId::new(&Random::System, now);
        let user = User {
            id,
            project_id: project.id,
            email: Some(email.clone()),
            email_verified_at: Some(now),
            profile: Profile::default(),
            created_at: now,
            updated_at: now,
            disabled_at: None,
        };
        let written: Result<(), StoreError> = self
            .broker
            .db
            .write(async move |tx| {
                users::insert(tx, &user, None).await?;
                let places = memberships::take_expected(tx, project.id, &email, id, None, now, now).await?;
                for (place, _) in places {
                    let membership = Membership {
                        id: MembershipId::new(&Random::System, now),
                        organization_id: place.organization_id,
                        user_id: id,
                        kind: place.kind,
                        status: MembershipStatus::Active,
                        source: MembershipSource::Manual,
                        roles: place.roles,
                        created_at: now,
                    };
                    memberships::insert(tx, project.id, MembershipMode::Shared, &membership).await?;
                }
                Ok(())
            })
            .await;
        written.unwrap();
        id
    }
}

pub(super) fn told(report: &Report) -> Vec<String> {
    report.changes.iter().map(ToString::to_string).collect()
}

fn sqlite_rows(path: &Path) -> Vec<String> {
    let file = rusqlite::Connection::open(path).unwrap();
    let mut rows = Vec::new();
    for table in TABLES {
        let mut statement = file.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let columns = statement.column_count();
        let mut found = statement.query([]).unwrap();
        while let Some(row) = found.next().unwrap() {
            let cells = (0..columns).map(|index| match row.get_ref(index).unwrap() {
                rusqlite::types::ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
                rusqlite::types::ValueRef::Blob(bytes) => HEXLOWER.encode(bytes),
                other => format!("{other:?}"),
            });
            rows.push(format!("{table}: {}", cells.collect::<Vec<_>>().join(" | ")));
        }
    }
    rows.sort();
    rows
}

async fn postgres_rows(url: &str) -> Vec<String> {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    let mut rows = Vec::new();
    for table in TABLES {
        for message in client.simple_query(&format!("SELECT * FROM {table}")).await.unwrap() {
            if let tokio_postgres::SimpleQueryMessage::Row(row) = message {
                let cells = (0..row.len()).map(|index| row.get(index).unwrap_or("null").to_owned());
                rows.push(format!("{table}: {}", cells.collect::<Vec<_>>().join(" | ")));
            }
        }
    }
    drop(client);
    connection.await.unwrap().unwrap();
    rows.sort();
    rows
}

const TABLES: [&str; 17] = [
    "projects",
    "organizations",
    "organization_slugs",
    "connections",
    "domains",
    "domain_connections",
    "applications",
    "application_secrets",
    "application_organizations",
    "memberships",
    "expected_members",
    "roles",
    "delegations",
    "audit_events",
    "users",
    "metadata_reads",
    "saml_keys",
];

#[tokio::test]
async fn the_example_creates_everything_and_a_second_time_nothing() {
    for engine in ENGINES {
        let house = House::empty(engine).await;
        let (before, planned) = (house.rows().await, house.plan(EXAMPLE).await);
        assert_eq!(house.rows().await, before, "a plan writes nothing");

        let report = house.try_to(EXAMPLE, Mode::Apply).await.unwrap();
        assert_eq!(told(&report), planned, "what is planned is what happens");
        for made in [
            "+ organization my-corp",
            "+ role auditor",
            "+ connection google",
            "+ connection partner",
            "+ connection partner-by-file",
            "+ domain my-corp.test",
            "+ application spa",
            "+ member con@contractor.test of contractor",
            "+ delegation contractor → my-corp",
            "+ role_rule my-corp: groups contains finance → auditor",
        ] {
            assert!(planned.iter().any(|line| line == made), "{made} is not in {planned:?}");
        }
        let pending = house.domain("my-corp.test").await;
        assert_eq!(pending.state, DomainState::Pending);
        assert_eq!(report.records.len(), 2);
        assert_eq!(report.records[0].name, "_behalf-challenge.my-corp.test");
        assert_eq!(report.records[0].value, pending.txt_value());

        let after = house.rows().await;
        house.clock.turn(std::time::Duration::from_secs(60));
        assert_eq!(house.plan(EXAMPLE).await, [""; 0]);
        assert_eq!(house.apply(EXAMPLE).await, [""; 0]);
        assert_eq!(house.rows().await, after, "{engine:?}");
        for action in [
            "organization.created",
            "organization.connection.activated",
            "organization.domain.claimed",
            "application.created",
            "delegation.approved",
        ] {
            let written = after.iter().any(|row| row.starts_with("audit_events") && row.contains(action));
            assert!(written && after.iter().any(|row| row.contains("operator")), "{action}");
        }
    }
}

#[tokio::test]
async fn c29_no_secret_is_told_or_stored_as_it_is() {
    for engine in ENGINES {
        let house = House::empty(engine).await;
        let told = house.apply(EXAMPLE).await.join("\n");
        let debugged = format!("{:?}", parse(EXAMPLE).unwrap());
        let rows = house.rows().await.join("\n");
        for secret in [UPSTREAM, DOWNSTREAM, ENVIRONMENT["CONTRACTOR_PRIVATE_KEY"].as_str()] {
            for place in [&told, &debugged, &rows] {
                assert!(!place.contains(secret) && !place.contains(&HEXLOWER.encode(secret.as_bytes())));
            }
        }
        let connection = house.connection("my-corp").await;
        let sealed = connection.secret.unwrap();
        let opened = connection_secret::open(&house.broker.keyring, connection.id, &sealed).unwrap();
        assert_eq!(opened.expose(), UPSTREAM);
        let project = house.project().await.id;
        let crm = applications::by_client_id(&mut &house.broker.db, project, "crm").await.unwrap().unwrap();
        let digests = applications::secrets(&mut &house.broker.db, crm.id).await.unwrap();
        assert_eq!(digests, [Digest::of(DOWNSTREAM.as_bytes())]);
    }
}

/// What is written in the place of what, and what is told of it.
const CHANGES: &[(&str, &str, &str)] = &[
    ("display_name = \"Acme Cloud\"", "display_name = \"Acme\"", "~ project default: display_name"),
    (
        "accent = \"#0b5fff\"",
        "accent = \"#ff5f0b\"",
        "~ project default: brand.accent \"#0b5fff\" → \"#ff5f0b\"",
    ),
    ("\"My Corporation\"", "\"Mine\"", "~ organization my-corp: display_name \"My Corporation\" → \"Mine\""),
    ("active = true", "active = false", "~ organization my-corp: active true → false"),
    (
        "[\"reader\", \"accountant\", \"app_publisher\", \"delegation_target\"]",
        "[\"reader\", \"app_publisher\"]",
        "~ organization my-corp: functional_roles",
    ),
    ("max_age = 28800", "max_age = 60", "~ organization my-corp: policy.max_age 28800 → 60"),
    (
        "delegations = [\"contractor\"]",
        "delegations = \"none\"",
        "~ organization my-corp: policy.delegations",
    ),
    ("roles = [\"owner\"]", "roles = [\"admin\"]", "~ member ann@my-corp.test of my-corp: roles"),
    ("email = \"bob@my-corp.test\"", "email = \"eve@my-corp.test\"", "+ member eve@my-corp.test of my-corp"),
    (
        "[role.auditor]",
        "[role.inspector]\norganization=\"my-corp\"\npermissions=[\"a\"]\n[role.auditor]",
        "+ role inspector",
    ),
    (
        "[role.billing]\npermissions = [\"invoices:read\", \"invoices:write\"]",
        "[role.billing]\npermissions = [\"invoices:read\"]",
        "~ role billing: permissions [\"invoices:read\", \"invoices:write\"] → [\"invoices:read\"]",
    ),
    ("auto_join = false", "auto_join = true", "~ domain my-corp.test: auto_join false → true"),
    (
        "connections = [\"my-corp\"]",
        "connections = []",
        "~ domain my-corp.test: connections [\"my-corp\"] → []",
    ),
    ("my-corp.okta.test", "other.okta.test", "~ connection my-corp: issuer \"https://my-corp.okta.test\" →"),
    ("MY_CORP_CLIENT_SECRET", "ENTRA_CLIENT_SECRET", "~ connection my-corp: secret changed"),
    ("department = \"staff\"", "department = \"all\"", "~ connection my-corp: required_claims.department"),
    ("state = \"draft\"", "state = \"active\"", "~ connection entra: state \"draft\" → \"active\""),
    ("leeway = 60", "leeway = 10", "~ connection my-corp: leeway 60 → 10"),
    ("CRM_CLIENT_SECRET", "REPORTS_JWKS", "~ application crm: client_secrets changed"),
    (
        "cors_origins = [\"https://crm.test\"]",
        "cors_origins = []",
        "~ application crm: cors_origins [\"https://crm.test\"] → []",
    ),
    (
        "#   userinfo_signed_response_alg",
        "userinfo_signed_response_alg",
        "~ application crm: userinfo_signed_response_alg none → \"RS256\"",
    ),
    ("statements.test/jwks.json", "statements.test/keys", "~ application statements: jwks_uri"),
    (
        "dynamic_registration = false",
        "dynamic_registration = true",
        "~ project default: dynamic_registration false → true",
    ),
    ("crm.test/callback", "crm.test/back", "~ application crm: redirect_uris"),
    (
        "organizations = [\"my-corp\", \"contractor\"]",
        "",
        "~ application crm: organizations [\"my-corp\", \"contractor\"] → none",
    ),
    ("connections = [\"google\"]", "connections = []", "~ application crm: connections [\"google\"] → []"),
    ("\nenabled = true", "\nenabled = false", "~ application crm: enabled true → false"),
    ("idp = false", "idp = true", "~ application crm: claims.idp false → true"),
    ("ends_at = \"2036", "ends_at = \"2037", "~ delegation contractor → my-corp: ends_at"),
    (
        "approved_by = [\"home\", \"target\"]",
        "approved_by = [\"home\"]",
        "~ delegation contractor → my-corp: approved_by_target true → false",
    ),
    ("organizations = \"optional\"", "organizations = \"required\"", "~ project default: organizations"),
    (
        "organizations_by_members = false",
        "organizations_by_members = true",
        "~ project default: organizations_by_members",
    ),
    (
        "api_keys_enabled = true",
        "api_keys_enabled = false",
        "~ project default: policy.api_keys_enabled true → false",
    ),
    (
        "mfa_required_for = [\"owner\", \"admin\"]",
        "mfa_required_for = []",
        "~ organization my-corp: policy.mfa_required_for",
    ),
    (
        "log_in_with_google = false",
        "log_in_with_google = true",
        "~ organization my-corp: policy.switches.log_in_with_google",
    ),
    ("member_list = \"names\"", "member_list = \"hidden\"", "~ organization my-corp: policy.member_list"),
    (
        "device_sign_in = true",
        "device_sign_in = false",
        "~ organization my-corp: policy.device_sign_in true → false",
    ),
    ("may_act = [\"orders\"]", "may_act = []", "~ application crm: exchange.may_act"),
    (
        "exchange_audiences = [\"billing\"]",
        "exchange_audiences = []",
        "~ application orders: exchange.audiences",
    ),
    ("revoked = false", "revoked = true", "~ delegation contractor → my-corp: revoked false → true"),
];

#[tokio::test]
async fn every_kind_of_change_is_planned_and_applied() {
    for engine in ENGINES {
        let house = House::empty(engine).await;
        house.apply(EXAMPLE).await;
        for (old, new, expected) in CHANGES {
            let changed = EXAMPLE.replacen(old, new, 1);
            assert_ne!(changed, EXAMPLE, "{old}");
            let before = house.rows().await;
            let planned = house.plan(&changed).await;
            assert_eq!(house.rows().await, before, "a plan writes nothing");
            assert_eq!(planned.len(), 1, "{old}: {planned:?}");
            assert!(planned[0].starts_with(expected), "{planned:?}");
            assert_eq!(house.apply(&changed).await, planned);
            assert_eq!(house.plan(&changed).await, [""; 0], "{old}");
            // Back again; what only the change named stays.
            house.apply(EXAMPLE).await;
            assert_eq!(house.plan(EXAMPLE).await, [""; 0], "{old}");
        }
    }
}

/// Files with one mistake, in the line that ends with `# !`, and a part of what is told of it.
const WRONG: &[(&str, &str)] = &[
    ("[project # !", "not TOML"),
    ("[projects] # !", "unknown key projects in the file; did you mean project?"),
    ("[project]\ndisplayname = \"x\" # !", "did you mean display_name?"),
    ("[project]\nslug = \"Not a slug\" # !", "no slug"),
    ("[project]\nmembership_mode = \"sole\" # !", "shared, exclusive"),
    ("[project]\nbrand = { accent = \"blue\" } # !", "colour"),
    ("[project]\nbrand = { logo_uri = \"http://acme.test/a\" } # !", "https"),
    ("[organization.a]\nactive = \"yes\" # !", "true or false"),
    ("[organization.a]\nid = \"1\" # !", "UUID"),
    ("[organization.A_B] # !", "no slug"),
    ("[organization.a]\ndisplay_name = \" \" # !", "empty"),
    ("[organization.a]\nfunctional_roles = [\"nothing\"] # !", "no functional role nothing"),
    ("[organization.a]\nmembers = [{ email = \"ann\" }] # !", "email"),
    ("[organization.a]\nmembers = [{ email = \"ann@a.test\" },\n{ email = \"ANN@a.test\" }] # !", "twice"),
    ("[organization.a]\nmembers = [{ email = \"ann@a.test\", roles = [\"boss\"] }] # !", "no role boss"),
    ("[organization.a]\nmembers = [{ email = \"ann@a.test\", kind = \"chief\" }] # !", "home, member"),
    ("[organization.a.policy]\ndelegations = \"all\" # !", "approved"),
    ("[organization.a.policy]\ndelegations = [\"b\"] # !", "no organization b"),
    ("[organization.a.policy]\nmax_age = -1 # !", "from 0 to"),
    ("[role.owner] # !\npermissions = []", "built in"),
    ("[role.x] # !", "needs permissions"),
    ("[organization.a]\n[[domain]]\nname = \"localhost\" # !\norganization = \"a\"", "domain"),
    ("[[domain]] # !\norganization = \"b\"", "needs name"),
    ("[[domain]]\nname = \"a.test\"\norganization = \"b\" # !", "no organization b"),
    (
        "[organization.a]\n[[domain]]\nname = \"a.test\"\norganization = \"a\"\n[[domain]]\nname = \"A.test\" # !\norganization = \"a\"",
        "claimed in line 3",
    ),
    (
        "[organization.a]\n[[domain]]\nname = \"a.test\"\norganization = \"a\"\nconnections = [\"c\"] # !\n[connection.c]\nissuer = \"https://c.test\"\nclient_id = \"x\"\nclient_secret = { env = \"CRM_CLIENT_SECRET\" }",
        "no such connection",
    ),
    (
        "[connection.c] # !\nclient_id = \"x\"\nclient_secret = { env = \"CRM_CLIENT_SECRET\" }",
        "needs issuer",
    ),
    (
        "[application.a]\ntype = \"spa\"\nredirect_uris = [\"https://a.test/cb\"]\nfrontchannel_logout_uri = \"https://b.test/f\" # !",
        "one of the redirect URIs",
    ),
    ("[connection.c] # !\nissuer = \"https://c.test\"\nclient_id = \"x\"", "needs client_secret"),
    ("C issuer = \"c.test\" # !", "https address"),
    ("C issuer = \"http://c.test\" # !", "https address"),
    ("C issuer = \"https://10.0.0.1\" # !", "public internet"),
    ("C issuer = \"https://login.microsoftonline.com/common/v2.0\" # !", "pin the tenant"),
    (
        "C issuer = \"https://login.microsoftonline.com/organizations/v2.0\" # !\npreset = \"entra\"",
        "pin the tenant",
    ),
    ("C issuer = \"https://login.microsoftonline.com/a/v2.0\" # !\npreset = \"entra\"", "as a UUID"),
    ("C issuer = \"https://c.test\" # !\npreset = \"keycloak\"", "/realms/<realm>"),
    ("C issuer = \"https://c.test\"\nalgorithms = [\"none\"] # !", "nothing unsigned"),
    ("C issuer = \"https://c.test\"\nalgorithms = [\"HS256\"] # !", "proves no issuer"),
    ("C issuer = \"https://c.test\"\nleeway = 121 # !", "from 0 to 120"),
    ("C issuer = \"https://c.test\"\nscopes = [\"email\"] # !", "openid"),
    ("C issuer = \"https://c.test\"\ndomain_hint_parameter = \"redirect_uri\" # !", "says nothing else"),
    ("C issuer = \"https://c.test\"\norganization = \"b\" # !", "no organization b"),
    ("C issuer = \"https://c.test\"\njit = \"always\" # !", "create_and_join"),
    (
        "C issuer = \"https://c.test\"\nendpoints = { token = \"https://c.test/t\", jwks = \"https://c.test/j\" } # !",
        "needs authorization",
    ),
    (
        "C issuer = \"https://c.test\"\nendpoints = { authorization = \"https://c.test/a#x\", token = \"https://c.test/t\", jwks = \"https://c.test/j\" } # !",
        "without user, password and fragment",
    ),
    (
        "[application.a]\ntype = \"spa\"\norganization_prompt = \"first\" # !",
        "must be one of before, after, none",
    ),
    ("[domain.\"a.test\"] # !\norganization = \"a\"", "a list of tables: write [[domain]]"),
    ("K private_key = { env = \"CRM_CLIENT_SECRET\" } # !", "PEM"),
    ("K client_secret = { env = \"NOT_SET\" } # !", "NOT_SET is not set"),
    ("K client_secret = { env = \"BLANK\" } # !", "empty"),
    ("K client_secret = { file = \"gone\" } # !", "gone cannot be read"),
    ("K client_secret = \"in-the-open\" # !", "holds no secrets"),
    ("[application.a]\nclient_secrets = [{ env = \"SHORT\" }] # !", "shorter than 32"),
    ("[application.a]\nclient_secrets = [] # !", "one or two"),
    (
        "[application.a]\ntype = \"spa\"\ngrant_types = [\"client_credentials\"] # !",
        "no use for client_credentials",
    ),
    (
        "[application.a]\ntype = \"spa\"\ngrant_types = [\"password\"] # !",
        "must be one of authorization_code",
    ),
    (
        "[application.a]\ntype = \"spa\"\ngrant_types = [\"refresh_token\"] # !",
        "needs a way to a first token",
    ),
    (
        "[application.a]\ntype = \"machine\"\ntoken_endpoint_auth_method = \"none\" # !",
        "nothing but its proof",
    ),
    ("[application.a]\ntype = \"spa\"\nlifetimes = { access_token = 3601 } # !", "from 0 to 3600"),
    ("[application.a] # !", "needs client_secrets"),
    (
        "[application.a]\ntype = \"spa\"\nclient_secrets = [{ env = \"CRM_CLIENT_SECRET\" }] # !",
        "has no secret",
    ),
    (
        "[application.a]\ntype = \"spa\"\ntoken_endpoint_auth_method = \"client_secret_post\" # !\nclient_secrets = [{ env = \"CRM_CLIENT_SECRET\" }]",
        "keep no secret",
    ),
    (
        "[application.a]\ntoken_endpoint_auth_method = \"private_key_jwt\"\njwks = { env = \"PRIVATE_JWKS\" } # !",
        "private key",
    ),
    ("S redirect_uris = [\"https://*.a.test/\"] # !", "wildcard"),
    ("S redirect_uris = [\"http://a.test/cb\"] # !", "scheme"),
    ("S redirect_uris = [\"https://a.test/\", \"https://a.test/\"] # !", "listed twice"),
    ("S redirect_uris = [] # !", "redirect_uris is empty"),
    ("[application.a] # !\ntype = \"native\"", "needs redirect_uris"),
    ("S scopes = [\"openid\", \"everything\"] # !", "unknown scope"),
    ("S signing_algorithm = \"HS256\" # !", "RS256, ES256, EdDSA"),
    ("S redirect_uris = [\"https://a.test/\"]\nconnections = [\"c\"] # !", "no connection c"),
    ("S redirect_uris = [\"https://a.test/\"]\norganizations = [\"b\"] # !", "no organization b"),
    ("S claims = { organizations = \"list\" } # !", "objects, names"),
    ("S claims.mapping = { sub = \"org_id\" } # !", "meaning of its own"),
    ("S claims.mapping = { tenant = \"sub\" } # !", "no claim"),
    ("[organization.a]\n[[delegation]]\nhome = \"a\"\ntarget = \"a\" # !", "to itself"),
    ("[organization.a]\n[[delegation]]\nhome = \"a\"\ntarget = \"b\" # !", "no organization b"),
    ("D approved_by = [\"me\"] # !", "home"),
    ("D starts_at = \"2026-01-01T00:00:00Z\"\nends_at = \"2025-01-01T00:00:00Z\" # !", "ends before"),
    ("D starts_at = \"tomorrow\" # !", "a moment"),
    ("D roles = [\"boss\"] # !", "no role boss"),
    ("D only = [\"nobody\"] # !", "email"),
    ("D roles = [\"owner\"] # !", "by a delegation"),
    ("[project]\norganizations = \"some\" # !", "off, optional"),
    ("[project.policy] # !\nlog_in_with_password = true", "no such method"),
    ("[organization.a.policy] # !\nscim_enabled = true", "no such method"),
    ("[organization.a.policy]\nmfa_required_for = [\"boss\"] # !", "no role boss"),
    ("[organization.a.policy]\ngoogle_hosted_domains = [\"not a domain\"] # !", "google_hosted_domains"),
    ("[organization.a.policy]\nmicrosoft_tenant_ids = [\"common\"] # !", "microsoft_tenant_ids"),
    ("[organization.a.policy]\nmember_list = \"all\" # !", "hidden, names"),
    (
        "[organization.a]\n[organization.a.policy]\nrequire_mfa = true # !\nlog_in_with_google = false\n\
         log_in_with_microsoft = false\nlog_in_with_saml = false\nlog_in_with_oidc = false",
        "second factor",
    ),
    ("R role = \"owner\" # !", "nobody owns anything"),
    ("R role = \"boss\" # !", "no role of this name"),
    ("R role = \"member\"\nclaim = \"a b\" # !", "visible ASCII"),
    ("R role = \"member\"\noperator = \"like\" # !", "equals, contains"),
];

/// Spells out the short beginnings of [`WRONG`].
fn spelt_out(text: &str) -> String {
    let beginnings = [
        ("C ", "[connection.c]\nclient_id = \"x\"\nclient_secret = { env = \"MY_CORP_CLIENT_SECRET\" }\n"),
        ("K ", "[connection.c]\nclient_id = \"x\"\nissuer = \"https://c.test\"\n"),
        ("S ", "[application.a]\ntype = \"spa\"\n"),
        (
            "R ",
            "[organization.a]\n[connection.c]\norganization = \"a\"\nissuer = \"https://c.test\"\nclient_id = \"x\"\n\
             client_secret = { env = \"MY_CORP_CLIENT_SECRET\" }\n[[role_rule]]\norganization = \"a\"\n\
             connection = \"c\"\nvalue = \"x\"\n",
        ),
        ("D ", "[organization.a]\n[organization.b]\n[[delegation]]\nhome = \"a\"\ntarget = \"b\"\n"),
    ];
    let short = beginnings.iter().find_map(|(short, long)| Some((long, text.strip_prefix(short)?)));
    short.map_or_else(|| text.to_owned(), |(long, rest)| format!("{long}{rest}"))
}

#[tokio::test]
async fn a_wrong_file_changes_nothing_and_names_the_line() {
    for engine in ENGINES {
        let house = House::empty(engine).await;
        let before = house.rows().await;
        for (text, expected) in WRONG {
            // What is right in the same file is not written either.
            let text = format!("{}\n[organization.bystander]\n", spelt_out(text));
            let line = text.lines().position(|line| line.ends_with("# !")).unwrap() + 1;
            let faults = house.refused(&text).await;
            let found =
                faults.iter().any(|fault| fault.starts_with(&format!("{line}:")) && fault.contains(expected));
            assert!(found, "line {line}, {expected:?}, in\n{text}\n{faults:#?}");
            assert!(faults.iter().all(|fault| !fault.contains("31-characters")), "{faults:?}");
        }
        assert_eq!(house.rows().await, before, "{engine:?}");
    }
}

#[tokio::test]
async fn every_mistake_is_told_at_once() {
    let house = House::empty(Engine::Sqlite).await;
    let text = "[organization.A]\n[role.x]\n[[domain]]\nname = \"a\"\n";
    let faults = house.refused(text).await;
    let lines: Vec<_> = faults.iter().map(|fault| fault.split(':').next().unwrap()).collect();
    assert_eq!(lines, ["1", "2", "3", "4"], "{faults:?}");
    let text = "[organization.a]\nfunctional_roles = [\"x\"]\n[[delegation]]\nhome = \"b\"\ntarget = \"c\"\n";
    let faults = house.refused(text).await;
    let lines: Vec<_> = faults.iter().map(|fault| fault.split(':').next().unwrap()).collect();
    assert_eq!(lines, ["2", "4", "5"], "{faults:?}");
}

#[tokio::test]
async fn two_operators_at_once_make_everything_once() {
    for engine in ENGINES {
        let house = House::empty(engine).await;
        let one = || house.try_to(EXAMPLE, Mode::Apply);
        let (a, b, c) = tokio::join!(one(), one(), one());
        let mut counts = [a, b, c].map(|report| report.unwrap().changes.len());
        counts.sort_unstable();
        assert_eq!(counts[..2], [0, 0], "{engine:?}");
        assert!(counts[2] > 10);
        let rows = house.rows().await;
        assert_eq!(rows.iter().filter(|row| row.starts_with("organizations:")).count(), 2);
    }
}

#[tokio::test]
async fn s2_29_a_slug_that_was_retired_is_never_given_to_another_organization() {
    for engine in ENGINES {
        let house = House::empty(engine).await;
        house.apply("[organization.old]\ndisplay_name = \"X\"").await;
        let id = house.organization("old").await.unwrap().id;
        let renamed = "[organization.new]\nformer_slug = \"old\"\ndisplay_name = \"X\"";
        assert_eq!(house.apply(renamed).await, ["~ organization new: slug \"old\" → \"new\""]);
        assert_eq!(house.plan(renamed).await, [""; 0]);
        assert_eq!(house.organization("new").await.unwrap().id, id, "a rename keeps the id");
        assert!(house.organization("old").await.is_none());

        let before = house.rows().await;
        let faults = house.refused("# one\n[organization.old]").await;
        let told = format!(
            "2:15: the slug old is that of an organization for good which is called new now: if you mean that one, say new \
             here and wherever the file says old, or give it old back by id = \"{id}\"; another one needs another slug"
        );
        assert_eq!(faults, [told]);
        let named = "[[domain]]\nname = \"x.test\"\norganization = \"old\"";
        assert!(
            house.refused(named).await[0].ends_with("there is no organization old: it is called new now")
        );
        let both = format!("{renamed}\n[organization.old]");
        assert!(house.refused(&both).await[0].starts_with("4:15: the slug old is that of"));
        assert_eq!(house.rows().await, before);

        // Its own former slug it may have again; by its id as well.
        let back = format!("[organization.old]\ndisplay_name = \"X\"\nid = \"{}\"", id.uuid());
        assert_eq!(house.apply(&back).await, ["~ organization old: slug \"new\" → \"old\""]);
        assert_eq!(house.organization("old").await.unwrap().id, id);
        // As whoever was told of it would write it.
        house.apply(renamed).await;
        let back = format!("[organization.old]\ndisplay_name = \"X\"\nid = \"{id}\"");
        assert_eq!(house.apply(&back).await, ["~ organization old: slug \"new\" → \"old\""]);
        let other = "[organization.old]\nid = \"0192f3a4-b5c6-7d8e-9f00-112233445566\"";
        assert!(house.refused(other).await[0].contains("has another id"));
    }
}

#[tokio::test]
async fn h04_a_change_that_matters_to_running_logins_is_a_new_version() {
    let house = House::empty(Engine::Sqlite).await;
    house.apply(EXAMPLE).await;
    assert_eq!(house.connection("my-corp").await.version, 1);
    house.apply(&EXAMPLE.replace("My Corporation SSO", "Sign in")).await;
    assert_eq!(house.connection("my-corp").await.version, 1);
    for (old, new) in [("my-corp.okta", "b.okta"), ("MY_CORP_CLIENT_SECRET", "ENTRA_CLIENT_SECRET")] {
        let before = house.connection("my-corp").await;
        let changed = EXAMPLE.replace("My Corporation SSO", "Sign in").replace(old, new);
        house.apply(&changed).await;
        let after = house.connection("my-corp").await;
        assert!(after.version > before.version && after.id == before.id, "{old}");
    }
    let moved = EXAMPLE.replace("[connection.my-corp]\n", "[connection.my-corp]\n#").replace(
        "organization = \"my-corp\"\n# \"oidc\" (the default)",
        "organization = \"contractor\"\n# \"oidc\" (the default)",
    );
    assert!(house.refused(&moved).await.iter().any(|fault| fault.contains("stays with the organization")));
}

#[tokio::test]
async fn c16_a_lapsed_domain_is_claimed_anew_with_another_record() {
    for engine in ENGINES {
        let house = House::empty(engine).await;
        house.apply(EXAMPLE).await;
        let mut domain = house.domain("my-corp.test").await;
        domain.state = DomainState::Verified;
        domain.verified_at = Some(house.broker.now());
        house.put_domain(domain.clone()).await;
        assert_eq!(house.plan(EXAMPLE).await, [""; 0], "a verified one stays so");

        domain.state = DomainState::Lapsed;
        domain.lapsed_at = Some(house.broker.now());
        house.put_domain(domain.clone()).await;
        let expected = "~ domain my-corp.test: state \"lapsed\" → \"pending\", challenge changed";
        let planned = house.try_to(EXAMPLE, Mode::Plan).await.unwrap();
        assert_eq!(told(&planned), [expected]);
        assert!(planned.records.iter().all(|record| record.domain != "my-corp.test"));
        let report = house.try_to(EXAMPLE, Mode::Apply).await.unwrap();
        assert_eq!(told(&report), [expected]);
        let renewed = house.domain("my-corp.test").await;
        assert_eq!((renewed.state, renewed.lapsed_at), (DomainState::Pending, None));
        assert_ne!(renewed.challenge, domain.challenge);
        assert!(report.records.iter().any(|record| record.value == renewed.txt_value()));
    }
}

#[tokio::test]
async fn somebody_who_has_come_is_changed_as_a_member() {
    for engine in ENGINES {
        let house = House::empty(engine).await;
        house.apply(EXAMPLE).await;
        let bob = house.comes("bob@my-corp.test").await;
        assert_eq!(house.plan(EXAMPLE).await, [""; 0]);
        let changed =
            EXAMPLE.replace("roles = [\"member\", \"billing\"]", "roles = [\"admin\"], kind = \"guest\"");
        assert_eq!(house.apply(&changed).await.len(), 1);
        let my_corp = house.organization("my-corp").await.unwrap().id;
        let membership = memberships::find(&mut &house.broker.db, my_corp, bob).await.unwrap().unwrap();
        assert_eq!(membership.roles, ["admin"]);
        assert_eq!(membership.kind, MembershipKind::Guest);

        let mut removed = membership;
        removed.status = MembershipStatus::Removed;
        let now = house.broker.now();
        let written: Result<(), StoreError> =
            house.broker.db.write(async move |tx| memberships::update(tx, &removed, now).await).await;
        written.unwrap();
        assert_eq!(house.apply(EXAMPLE).await, [""; 0], "who was removed stays so");
    }
}

#[tokio::test]
async fn an_organization_keeps_an_owner() {
    for engine in ENGINES {
        let house = House::empty(engine).await;
        house.apply(EXAMPLE).await;
        house.comes("ann@my-corp.test").await;
        let before = house.rows().await;
        let faults = house.refused(&EXAMPLE.replace("roles = [\"owner\"]", "roles = [\"member\"]")).await;
        assert!(faults[0].contains("without an active owner"), "{faults:?}");
        assert_eq!(house.rows().await, before);
    }
}

#[tokio::test]
async fn the_mode_of_membership_is_fixed_once_somebody_could_be_in() {
    let house = House::empty(Engine::Sqlite).await;
    let exclusive = "[project]\nmembership_mode = \"exclusive\"\n";
    assert_eq!(house.apply(exclusive).await.len(), 1);
    assert_eq!(house.project().await.settings.membership_mode, MembershipMode::Exclusive);
    house.apply("[organization.a]").await;
    assert_eq!(house.apply(exclusive).await, [""; 0]);
    let faults = house.refused("[project]\nmembership_mode = \"shared\"\n").await;
    assert!(faults[0].starts_with("2:19: membership_mode is fixed"), "{faults:?}");
}

#[tokio::test]
async fn nothing_is_removed_because_the_file_does_not_name_it() {
    for engine in ENGINES {
        let house = House::empty(engine).await;
        house.apply(EXAMPLE).await;
        let before = house.rows().await;
        assert_eq!(house.apply("").await, [""; 0]);
        assert_eq!(house.apply("[project]\nslug = \"default\"").await, [""; 0]);
        assert_eq!(house.rows().await, before);
        // What is there may be named.
        let more = "[application.more]\ntype = \"spa\"\nredirect_uris = [\"https://more.test/\"]\nconnections = [\"google\"]\norganizations = [\"my-corp\"]\n\
                    [[delegation]]\nhome = \"my-corp\"\ntarget = \"contractor\"\nroles = [\"billing\"]";
        assert_eq!(house.apply(more).await.len(), 2);
        let (home, target) =
            (house.organization("my-corp").await.unwrap(), house.organization("contractor").await.unwrap());
        let made = delegations::between(&mut &house.broker.db, home.id, target.id).await.unwrap().unwrap();
        assert!(made.is_in_force(house.broker.now()));
    }
}

#[tokio::test]
async fn another_project_is_made_beside_the_first() {
    let house = House::empty(Engine::Sqlite).await;
    house.apply("[organization.a]").await;
    let told =
        house.apply("[project]\nslug = \"second\"\nmembership_mode = \"exclusive\"\n[organization.a]").await;
    assert_eq!(told, ["+ project second", "+ organization a"]);
    // What the first one has does not exist for the second.
    house.apply(EXAMPLE).await;
    let stranger = "[project]\nslug = \"second\"\n[application.x]\ntype = \"spa\"\n\
                    redirect_uris = [\"https://x.test/\"]\nconnections = [\"google\"]";
    assert!(house.refused(stranger).await[0].contains("no connection google"));
}

/// `behalf` in a folder of its own, with a file; nothing it does leaves this machine.
pub(super) fn behalf(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_behalf"))
        .current_dir(folder)
        .env_clear()
        .env("BEHALF_DNS_RESOLVERS", "127.0.0.1:9")
        .env("BEHALF_DNS_TIMEOUT", "1")
        .env("CRM_CLIENT_SECRET", DOWNSTREAM)
        .env("MY_CORP_CLIENT_SECRET", UPSTREAM)
        .args(arguments)
        .output()
        .unwrap()
}

pub(super) fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

const SMALL: &str = r#"
[organization.a]
[[domain]]
name = "a.test"
organization = "a"
connections = ["a"]
use_for_routing = true
[connection.a]
organization = "a"
state = "draft"
issuer = "https://a.test"
client_id = "x"
client_secret = { env = "MY_CORP_CLIENT_SECRET" }
[application.crm]
client_secrets = [{ env = "CRM_CLIENT_SECRET" }]
redirect_uris = ["https://crm.test/callback"]
"#;

#[test]
fn the_commands_tell_what_they_did_and_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let house = folder.path();
    std::fs::write(house.join("house.toml"), SMALL).unwrap();
    std::fs::write(house.join("wrong.toml"), format!("{SMALL}\n[organisation.b]\n")).unwrap();

    let checked = behalf(house, &["check"]);
    assert!(checked.status.success(), "{}", text(&checked));
    assert!(!house.join("behalf.db").exists() && !house.join("keys").exists(), "a check makes nothing");

    let planned = behalf(house, &["apply", "house.toml", "--plan"]);
    assert!(planned.status.success() && text(&planned).contains("+ organization a\n"), "{}", text(&planned));
    let made: Vec<_> = std::fs::read_dir(house).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(made.len(), 2, "a plan makes nothing: {made:?}");
    let wrong = behalf(house, &["apply", "wrong.toml"]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(text(&wrong).contains("wrong.toml:18:2: unknown key organisation"), "{}", text(&wrong));
    let applied = behalf(house, &["apply", "house.toml"]);
    assert!(applied.status.success(), "{}", text(&applied));
    assert!(text(&applied).contains("_behalf-challenge.a.test. TXT \"behalf-verify="), "{}", text(&applied));
    assert!(text(&applied).contains("Redirect URI: http://127.0.0.1:8080/oidc/conn_"), "{}", text(&applied));
    let again = behalf(house, &["apply", "house.toml"]);
    assert!(text(&again).starts_with("Nothing to change."), "{}", text(&again));
    let replanned = behalf(house, &["apply", "house.toml", "--plan"]);
    assert!(text(&replanned).starts_with("Nothing to change."), "of what is there: {}", text(&replanned));

    let checked = behalf(house, &["check"]);
    assert_eq!(checked.status.code(), Some(1), "{}", text(&checked));
    for part in [
        "✓ database: sqlite",
        "✓ master key: it is the one",
        "✓ connection a: draft; register http://127.0.0.1:8080/oidc/conn_",
        "✓ connection a: its secret can be opened",
        "✗ domain a.test: pending; its record cannot be looked up",
        "✗ routing of a.test: no active connection",
        "✗ domain a.test: pending",
        "dns.timeout = 1 (BEHALF_DNS_TIMEOUT)",
    ] {
        assert!(text(&checked).contains(part), "{part}:\n{}", text(&checked));
    }

    assert!(text(&behalf(house, &["key", "list"])).contains("default: none yet"));
    let rotated = behalf(house, &["key", "rotate", "--algorithm", "ES256", "--now"]);
    assert!(text(&rotated).starts_with("default: a new ES256 key, which signs from 2"), "{}", text(&rotated));
    assert!(text(&behalf(house, &["key", "list"])).contains("ES256"));
    assert!(text(&behalf(house, &["domain", "list"])).contains("a.test  default/a  pending  (routing)"));
    let asked = behalf(house, &["domain", "confirm", "a.test"]);
    assert_eq!(asked.status.code(), Some(1));
    assert!(text(&asked).contains("a.test is pending"), "{}", text(&asked));
    assert_eq!(behalf(house, &["domain", "confirm", "b.test"]).status.code(), Some(1));

    for output in [planned, wrong, applied, again, checked, rotated, asked] {
        assert!(!text(&output).contains(UPSTREAM) && !text(&output).contains(DOWNSTREAM));
    }
}

#[test]
fn s1_p4_the_key_that_a_provider_must_know_us_by_is_told_by_apply_and_check() {
    use behalf::protocol::jose::{Algorithm, SigningKey};
    let folder = tempfile::tempdir().unwrap();
    let house = folder.path();
    let signed = SMALL.replace(
        "client_secret = { env = \"MY_CORP_CLIENT_SECRET\" }",
        "token_endpoint_auth_method = \"private_key_jwt\"\nprivate_key = { file = \"own.pem\" }",
    );
    std::fs::write(house.join("house.toml"), signed).unwrap();
    // The second is another key: whoever has registered the first must hear of it.
    for _ in 0..2 {
        let key = SigningKey::generate(Algorithm::ES256, "x").unwrap();
        std::fs::write(house.join("own.pem"), pem(&key)).unwrap();
        let kid = format!("\"kid\":\"{}\"", key.public_jwk().thumbprint());
        let applied = behalf(house, &["apply", "house.toml"]);
        assert!(applied.status.success(), "{}", text(&applied));
        let checked = behalf(house, &["check"]);
        for told in [&applied, &checked].map(text) {
            assert!(told.contains("/jwks.json") && told.contains(&kid), "{told}");
            assert!(told.contains("\"crv\":\"P-256\"") && !told.contains("\"d\""), "{told}");
        }
    }
}

#[test]
fn a_key_whose_successor_begins_before_it_is_told_to_be_withdrawn() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [["key", "rotate"].as_slice(), &["key", "rotate"], &["key", "rotate", "--now"]] {
        assert!(behalf(folder.path(), arguments).status.success());
    }
    let listed = text(&behalf(folder.path(), &["key", "list"]));
    let of = |what: &str| listed.lines().filter(|line| line.contains("RS256") && line.contains(what)).count();
    assert!(of("withdrawn, never signs, published until 2") > 0, "{listed}");
    assert_eq!(of("will sign from"), 1, "{listed}");
}

/// As [`behalf`], where whoever reads what it says has gone.
fn unheard(folder: &Path, arguments: &[&str]) -> Output {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    Command::new(env!("CARGO_BIN_EXE_behalf"))
        .current_dir(folder)
        .env_clear()
        .env("CRM_CLIENT_SECRET", DOWNSTREAM)
        .env("MY_CORP_CLIENT_SECRET", UPSTREAM)
        .args(arguments)
        .stdout(writer)
        .output()
        .unwrap()
}

#[test]
fn a_file_in_another_encoding_is_told_with_the_line() {
    let folder = tempfile::tempdir().unwrap();
    let mut bytes = b"[organization.a]\nname = \"M\xc3\xbcller\"\ndescription = \"K".to_vec();
    bytes.extend(b"\xf6ln\"\n");
    std::fs::write(folder.path().join("house.toml"), &bytes).unwrap();
    for arguments in [["apply", "house.toml"].as_slice(), &["apply", "house.toml", "--plan"]] {
        let output = behalf(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(1), "{}", text(&output));
        let told = "house.toml:3:17: not UTF-8: save the file in that encoding\nNothing was changed.\n";
        assert_eq!(text(&output), told);
    }
    assert!(!folder.path().join("behalf.db").exists());
}

#[test]
fn a_command_that_nobody_listens_to_does_what_it_was_told() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("house.toml"), SMALL).unwrap();
    for arguments in [
        ["check"].as_slice(),
        &["apply", "house.toml"],
        &["key", "rotate"],
        &["key", "list"],
        &["domain", "list"],
        &["token", "create", "--name", "ci"],
        &["token", "list"],
        &["--help"],
    ] {
        let output = unheard(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", text(&output));
        assert!(!text(&output).contains("panicked"), "{arguments:?}: {}", text(&output));
    }
    let again = behalf(folder.path(), &["apply", "house.toml"]);
    assert!(text(&again).starts_with("Nothing to change."), "{}", text(&again));
    assert_eq!(unheard(folder.path(), &["domain", "confirm", "b.test"]).status.code(), Some(1));
    if Path::new("/dev/full").exists() {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_behalf"));
        let output = command
            .current_dir(folder.path())
            .env_clear()
            .args(["key", "list"])
            .stdout(full)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", text(&output));
        assert!(text(&output).contains("behalf: standard output: "), "{}", text(&output));
    }
}

/// Every command that reads, where there is nothing yet to be read.
fn only_looks(folder: &Path) {
    for (arguments, success, told) in [
        (["key", "list"].as_slice(), true, "default: none yet; the first use makes them"),
        (&["domain", "list"], true, "No domain is claimed."),
        (&["token", "list"], true, ""),
        (&["audit", "verify"], false, "database"),
        (&["saml", "refusals"], false, "database"),
    ] {
        let output = behalf(folder, arguments);
        assert_eq!(output.status.success(), success, "{arguments:?}: {}", text(&output));
        assert!(text(&output).contains(told), "{arguments:?}: {}", text(&output));
    }
}

#[test]
fn what_only_looks_makes_no_file() {
    let folder = tempfile::tempdir().unwrap();
    only_looks(folder.path());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_makes_nothing_in_postgresql() {
    let database = postgres::Database::empty().await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("house.toml"), SMALL).unwrap();
    std::fs::write(folder.path().join("behalf.toml"), format!("[database]\nurl = \"{}\"\n", database.url()))
        .unwrap();
    let (client, connection) = tokio_postgres::connect(&database.url(), tokio_postgres::NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    let tables = async || {
        let sql = "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'public'";
        client.query_one(sql, &[]).await.unwrap().get::<_, i64>(0)
    };
    let checked = behalf(folder.path(), &["check"]);
    assert!(checked.status.success(), "{}", text(&checked));
    assert!(text(&checked).contains("nothing is in it yet; the first start makes it"), "{}", text(&checked));
    let planned = behalf(folder.path(), &["apply", "house.toml", "--plan"]);
    assert!(planned.status.success(), "{}", text(&planned));
    only_looks(folder.path());
    assert_eq!(tables().await, 0);
    assert!(!folder.path().join("keys").exists());

    assert!(behalf(folder.path(), &["apply", "house.toml"]).status.success());
    let made = tables().await;
    assert!(made > 1 && text(&behalf(folder.path(), &["check"])).contains("✓ database: postgresql"));
    for (change, mark, told) in [
        ("checksum = '1'", "✗", "its step V1__nouns is not the one of this build"),
        ("version = 1000", "✗", "a later version has taken the step V1000__nouns"),
    ] {
        client.batch_execute(&format!("UPDATE refinery_schema_history SET {change}")).await.unwrap();
        for arguments in [["check"].as_slice(), &["apply", "house.toml", "--plan"]] {
            let output = behalf(folder.path(), arguments);
            assert_eq!(output.status.code(), Some(1), "{}", text(&output));
            assert!(text(&output).contains(told), "{}", text(&output));
        }
        let checked = text(&behalf(folder.path(), &["check"]));
        assert!(checked.contains(&format!("{mark} database: ")), "{checked}");
    }
    assert_eq!(tables().await, made);
    drop(client);
    connection.await.unwrap().unwrap();
}

#[test]
fn the_master_key_that_is_gone_is_told_by_check() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("house.toml"), SMALL).unwrap();
    assert!(behalf(folder.path(), &["apply", "house.toml"]).status.success());
    std::fs::remove_dir_all(folder.path().join("keys")).unwrap();
    let checked = behalf(folder.path(), &["check"]);
    assert_eq!(checked.status.code(), Some(1));
    assert!(text(&checked).contains("✗ master key: there is no master key"), "{}", text(&checked));
    assert!(!folder.path().join("keys").exists(), "a check makes nothing");
}
