//! The nouns' statements: one contract, told on SQLite and on PostgreSQL.

use std::time::Duration;

use behalf::foundation::clock::Moment;
use behalf::foundation::domain_name::DomainName;
use behalf::foundation::email::Email;
use behalf::foundation::id::{
    ApplicationId, AuditEventId, ConnectionId, DelegationId, DomainId, GrantId, IdentityId, KeyId,
    MembershipId, OrganizationId, ProjectId, RoleId, SessionId, UserId,
};
use behalf::foundation::random::Random;
use behalf::foundation::secret::Digest;
use behalf::model::application::Application;
use behalf::model::audit_event::{AuditEvent, Outcome};
use behalf::model::connection::{Connection, ConnectionState, Notice};
use behalf::model::delegation::{Delegation, DelegationSettings};
use behalf::model::domain::{Domain, DomainState};
use behalf::model::grant::{Confirmation, Epochs, Grant, GrantRequest, Refresh};
use behalf::model::identity::{Identity, IdentityFacts, Naming};
use behalf::model::login::Asked;
use behalf::model::membership::{Membership, MembershipKind, MembershipSource, MembershipStatus};
use behalf::model::organization::{Organization, Policy};
use behalf::model::project::{MembershipMode, Project, ProjectSettings};
use behalf::model::role::{Role, RoleScope};
use behalf::model::saml_key::{Purpose, SamlKeyRecord};
use behalf::model::session::{Acr, Assurance, Secrecy, Session, UpstreamName, UpstreamSession};
use behalf::model::signing_key::KeyRecord;
use behalf::model::user::{Profile, User};
use behalf::protocol::jose::Algorithm;
use behalf::store::durable::engine::{Database, Read, StoreError, params};
use behalf::store::durable::grants::Code;
use behalf::store::durable::memberships::Expected;
use behalf::store::durable::metadata_reads::MetadataRead;
use behalf::store::durable::{
    applications, audit_events, browsers, choices, connection_notices, connections, delegations, domains,
    grants, house, identities, memberships, metadata_reads, organizations, projects, pushed_requests, roles,
    saml_keys, sessions, signing_keys, used, users,
};

use super::engine::{Empty, on_postgresql, on_sqlite};

macro_rules! on_both_engines {
    ($($story:ident),* $(,)?) => {
        mod sqlite { $(#[tokio::test] async fn $story() {
            super::on_sqlite(|place| async { super::$story(super::Empty::at(place).await.db).await }).await;
        })* }
        mod postgresql { $(#[tokio::test] async fn $story() {
            super::on_postgresql(|place| async { super::$story(super::Empty::at(place).await.db).await }).await;
        })* }
    };
}

on_both_engines! {
    every_noun_reads_back_as_it_was_written,
    c28_a_browser_turns_to_a_session_under_another_id,
    a_user_is_as_the_last_sign_in_said,
    settings_are_what_stands_there_now,
    s2_29_a_retired_slug_is_never_given_to_another_organization,
    c15_one_organization_holds_a_domain,
    routing_follows_every_switch,
    c03_a_proved_address_belongs_to_one_user_within_one_claim_of_its_domain,
    expected_members_are_taken_once,
    c16_places_kept_before_count_for_the_own_organization_alone,
    s2_21_choices_are_memberships_and_delegations_in_force,
    c23_a_code_is_used_once_and_its_replay_kills_the_family,
    m07_what_was_used_is_never_first_again,
    m21_a_pushed_request_is_taken_once_by_its_own_application,
    what_has_run_out_is_swept_and_nothing_else,
    c29_saml_keys_are_made_once_and_wiped_when_they_are_kept_no_more,
    a_turn_to_read_metadata_is_taken_by_one_node,
    h18_of_what_ends_one_node_tells_once_at_each_stage,
    m08_the_audit_trail_only_grows,
}

const NOW: Moment = Moment::from_seconds(1_800_000_000);

fn email(text: &str) -> Email {
    Email::parse(text).unwrap()
}

/// A project with two organizations, A and B, a connection and a verified domain each, and one user of A.
struct Street {
    project: Project,
    a: Organization,
    b: Organization,
    connection: Connection,
    domain: Domain,
    user: User,
    application: Application,
    session: Session,
}

fn organization(project: ProjectId, number: u128, slug: &str) -> Organization {
    Organization {
        id: OrganizationId::from_u128(number),
        project_id: project,
        slug: slug.into(),
        display_name: format!("Organization {slug}"),
        kind: Some("school".into()),
        description: Some("a line\nand another".into()),
        logo_uri: Some("https://a.test/logo.png".into()),
        functional_roles: Some(vec!["delegation_source".into()]),
        policy: Policy { max_age: Some(60), ..Policy::default() },
        created_at: NOW,
        updated_at: NOW,
        deactivated_at: None,
        deleted_at: None,
        purge_at: None,
        epoch: 0,
    }
}

fn street() -> Street {
    let project = Project {
        id: ProjectId::from_u128(1),
        slug: "street".into(),
        display_name: "Street".into(),
        settings: ProjectSettings::default().into(),
        created_at: NOW,
        updated_at: NOW,
        disabled_at: None,
    };
    let (a, b) = (organization(project.id, 10, "a"), organization(project.id, 11, "b"));
    let oidc = serde_json::json!({
        "preset": "generic", "issuer": "https://idp.a.test", "endpoints": null, "client_id": "behalf",
        "authentication": "client_secret_basic", "scopes": ["openid"], "algorithms": ["RS256"], "email_claim": "email",
        "forward_login_hint": true, "domain_hint_parameter": null, "required_claims": [["hd", "a.test"]],
        "always_userinfo": false
    });
    let settings = serde_json::json!({
        "upstream": { "oidc": oidc }, "jit": "create_and_join", "assign_organizations": [b.id], "default_roles": [],
        "leeway": 60
    });
    let connection = Connection {
        id: ConnectionId::from_u128(20),
        project_id: project.id,
        organization_id: Some(a.id),
        slug: "a-sso".into(),
        display_name: "A's SSO".into(),
        state: ConnectionState::Active,
        version: 1,
        settings: serde_json::from_value(settings).unwrap(),
        secret: Some(vec![0, 1, 255]),
        created_at: NOW,
        updated_at: NOW,
    };
    let name = DomainName::parse("a.test").unwrap();
    let domain = Domain {
        state: DomainState::Verified,
        routing_since: Some(NOW),
        trust_since: Some(NOW),
        verified_at: Some(NOW),
        ..Domain::claimed(DomainId::from_u128(30), (project.id, a.id), name, "token".into(), NOW)
    };
    let user = User {
        id: UserId::from_u128(40),
        project_id: project.id,
        email: Some(email("ann@a.test")),
        email_verified_at: Some(NOW),
        profile: Profile { name: Some("Ann \u{1f600}".into()), ..Profile::default() },
        created_at: NOW,
        updated_at: NOW,
        disabled_at: None,
    };
    let settings = serde_json::json!({
        "kind": "web", "authentication": "client_secret_post", "jwks": null,
        "redirect_uris": ["https://app.test/callback"], "scopes": ["openid"], "grant_types": ["authorization_code"], "lifetimes": {},
        "algorithm": "RS256", "audiences": [],
        "organization_prompt": "after", "organization_usage": "allow", "domain_based": true, "connections": [],
        "organizations_limited": false, "claims": {}
    });
    let application = Application {
        id: ApplicationId::from_u128(50),
        project_id: project.id,
        client_id: "rp1".into(),
        display_name: "RP 1".into(),
        settings: serde_json::from_value(settings).unwrap(),
        created_at: NOW,
        updated_at: NOW,
        disabled_at: None,
        organization_id: None,
        stopped_at: None,
    };
    let session = Session {
        id: SessionId::from_u128(60),
        project_id: project.id,
        user_id: user.id,
        identity_id: IdentityId::from_u128(41),
        connection_id: connection.id,
        authenticated_at: NOW,
        assumed_at: None,
        assurance: Assurance { amr: vec!["pwd".into()], acr: Acr::Single },
        created_at: NOW,
        expires_at: NOW.plus(Duration::from_secs(3_600)),
        ended_at: None,
        current_organization: None,
    };
    Street { project, a, b, connection, domain, user, application, session }
}

fn facts() -> IdentityFacts {
    IdentityFacts { hosted_domain: Some("a.test".into()), ..IdentityFacts::default() }
}

fn identity(user: UserId) -> Identity {
    Identity {
        id: IdentityId::from_u128(41),
        user_id: user,
        connection_id: ConnectionId::from_u128(20),
        issuer: "https://idp.a.test".into(),
        subject: "sub-1".into(),
        naming: Naming::Sub,
        last_login_at: NOW,
    }
}

fn membership(number: u128, organization: OrganizationId, user: UserId) -> Membership {
    Membership {
        id: MembershipId::from_u128(number),
        organization_id: organization,
        user_id: user,
        kind: MembershipKind::Home,
        status: MembershipStatus::Active,
        source: MembershipSource::Jit,
        roles: vec!["member".into()],
        created_at: NOW,
    }
}

fn delegation(street: &Street) -> Delegation {
    Delegation {
        id: DelegationId::from_u128(70),
        project_id: street.project.id,
        home: street.a.id,
        target: street.b.id,
        settings: DelegationSettings { roles: vec!["member".into()], ..DelegationSettings::default() },
        starts_at: Some(NOW),
        ends_at: Some(NOW.plus(Duration::from_secs(100))),
        home_approved_at: Some(NOW),
        target_approved_at: Some(NOW),
        paused_at: None,
        revoked_at: None,
    }
}

async fn build(db: &Database) -> Street {
    let street = street();
    let work = self::street();
    db.write(async move |tx| {
        projects::insert(tx, &work.project).await?;
        organizations::insert(tx, &work.a).await?;
        organizations::insert(tx, &work.b).await?;
        connections::insert(tx, &work.connection).await?;
        domains::insert(tx, &work.domain).await?;
        domains::set_connections(tx, work.domain.id, &[work.connection.id]).await?;
        applications::insert(tx, &work.application).await?;
        users::insert(tx, &work.user, Some(work.domain.id)).await?;
        identities::insert(tx, work.project.id, &identity(work.user.id), Some("ann@a.test"), &facts())
            .await?;
        let member = membership(80, work.a.id, work.user.id);
        memberships::insert(tx, work.project.id, MembershipMode::Shared, &member).await?;
        sessions::insert(tx, &work.session, None).await?;
        Ok::<_, StoreError>(())
    })
    .await
    .unwrap();
    street
}

async fn every_noun_reads_back_as_it_was_written(db: Database) {
    let street = build(&db).await;
    let project = street.project.id;
    let read = &mut &db;
    assert_eq!(projects::by_slug(read, "street").await.unwrap(), Some(street.project.clone()));
    assert_eq!(organizations::named(read, project, "a").await.unwrap(), Some(street.a.clone()));
    assert_eq!(
        organizations::named(read, project, &street.b.id.uuid()).await.unwrap(),
        Some(street.b.clone())
    );
    assert_eq!(connections::named(read, project, "a-sso").await.unwrap(), Some(street.connection.clone()));
    assert_eq!(
        domains::by_name(read, street.a.id, &street.domain.name).await.unwrap(),
        Some(street.domain.clone())
    );
    assert_eq!(users::by_id(read, project, street.user.id).await.unwrap(), Some(street.user.clone()));
    assert_eq!(
        sessions::by_id(read, project, street.session.id).await.unwrap(),
        Some(street.session.clone())
    );
    let application = applications::by_client_id(read, project, "rp1").await.unwrap().unwrap();
    assert_eq!(application.settings, street.application.settings);
    let found = identities::find(read, street.connection.id, "https://idp.a.test", "sub-1").await.unwrap();
    assert_eq!(found, Some(identity(street.user.id)));
    assert_eq!(
        identities::find(read, street.connection.id, "https://idp.a.test", "SUB-1").await.unwrap(),
        None
    );
    let member = memberships::find(read, street.a.id, street.user.id).await.unwrap();
    assert_eq!(member, Some(membership(80, street.a.id, street.user.id)));
    // Another project's id is answered like an unknown one.
    let stranger = ProjectId::from_u128(2);
    assert_eq!(organizations::by_id(read, stranger, street.a.id).await.unwrap(), None);
    assert_eq!(users::by_id(read, stranger, street.user.id).await.unwrap(), None);

    let (delegation, copy) = (delegation(&street), delegation(&street));
    let key = KeyRecord {
        id: KeyId::from_u128(90),
        project_id: project,
        algorithm: Algorithm::ES256,
        generation: 1,
        public_jwk: "{}".into(),
        private_key: vec![7; 40],
        created_at: NOW,
        signs_from: NOW,
        signs_until: None,
        published_until: None,
    };
    let stored = key.clone();
    let application = street.application.id;
    let listed = street.b.id;
    db.write(async move |tx| {
        delegations::insert(tx, &copy, NOW).await?;
        signing_keys::insert(tx, &stored).await?;
        house::insert(tx, "fact", b"\x00\xff").await?;
        applications::set_secrets(tx, application, &[Digest::of(b"1"), Digest::of(b"2")], NOW).await?;
        applications::set_listed(tx, application, &[listed]).await?;
        for organization in [None, Some(listed)] {
            let role = Role {
                id: RoleId::new(&Random::System, NOW),
                organization,
                scope: RoleScope::Organization,
                name: "billing".to_owned(),
                display_name: "Billing".to_owned(),
                permissions: vec!["invoices:read".to_owned()],
                created_at: NOW,
                updated_at: NOW,
            };
            roles::insert(tx, project, &role).await?;
            let after = Role { permissions: vec!["invoices:write".to_owned()], ..role };
            roles::update(tx, &after).await?;
            assert_eq!(roles::named(tx, project, organization, "billing").await?, Some(after));
        }
        let mut sessions = browsers::Pointers::new();
        sessions.insert("proj".into(), "sess".into());
        browsers::put(tx, Digest::of(b"cookie"), &sessions, NOW, NOW.plus(Duration::from_secs(9))).await?;
        let event = AuditEvent::new(project, "test", Outcome::Granted).with("name", "\u{1b}[31m\r\n");
        audit_events::insert(tx, AuditEventId::from_u128(1), &event, NOW).await
    })
    .await
    .unwrap();
    let found = delegations::between(read, street.a.id, street.b.id).await.unwrap();
    assert_eq!(found, Some(delegation));
    let keys = signing_keys::published(read, project, NOW).await.unwrap();
    assert_eq!((keys.len(), &keys[0].private_key), (1, &key.private_key));
    assert_eq!(house::get(read, "fact").await.unwrap().as_deref(), Some(&b"\x00\xff"[..]));
    assert_eq!(applications::secrets(read, application).await.unwrap().len(), 2);
    assert!(applications::is_listed(read, application, listed).await.unwrap());
    assert!(!applications::is_listed(read, application, street.a.id).await.unwrap());
    let custom = roles::permissions(read, project, street.b.id).await.unwrap();
    assert_eq!(custom["billing"], ["invoices:write"]);
    assert!(browsers::load(read, Digest::of(b"cookie"), NOW).await.unwrap().is_some());
    let later = NOW.plus(Duration::from_secs(10));
    assert!(browsers::load(read, Digest::of(b"cookie"), later).await.unwrap().is_none());
}

async fn m08_the_audit_trail_only_grows(db: Database) {
    let street = build(&db).await;
    let (project, read) = (street.project.id, &mut &db);
    db.write(async move |tx| {
        let event = AuditEvent::new(project, "test", Outcome::Granted);
        audit_events::insert(tx, AuditEventId::from_u128(1), &event, NOW).await?;
        let link = "INSERT INTO audit_links (project_id, chain, place, event_id, hash) VALUES ($1, '', 1, 'one', $2)";
        tx.execute(link, params![project, &b"hash"[..]]).await?;
        let signed = "INSERT INTO audit_checkpoints (project_id, chain, place, jws, created_at)
                      VALUES ($1, '', 1, 'jws', 1)";
        tx.execute(signed, params![project]).await
    })
    .await
    .unwrap();
    let is_refused = async |sql: &'static str, table: &str| {
        let told = db.write(async move |tx| tx.execute(sql, &[]).await).await.unwrap_err();
        let StoreError::Constraint(why) = &told else { panic!("{sql}: {told}") };
        assert!(why.contains(&format!("{table} is append-only")), "{sql}: {why}");
    };
    is_refused("UPDATE audit_events SET actor = 'somebody'", "audit_events").await;
    is_refused("DELETE FROM audit_events", "audit_events").await;
    is_refused("UPDATE audit_links SET place = 2", "audit_links").await;
    is_refused("DELETE FROM audit_links WHERE place = 1", "audit_links").await;
    is_refused("UPDATE audit_checkpoints SET place = 2", "audit_checkpoints").await;
    is_refused("DELETE FROM audit_checkpoints", "audit_checkpoints").await;
    let by_the_way = match db.engine() {
        "sqlite" => "INSERT OR REPLACE INTO audit_events SELECT * FROM audit_events",
        _ => "TRUNCATE audit_events",
    };
    is_refused(by_the_way, "audit_events").await;
    for table in [
        "SELECT COUNT(*) FROM audit_events",
        "SELECT COUNT(*) FROM audit_links",
        "SELECT COUNT(*) FROM audit_checkpoints",
    ] {
        let row = read.one(table, &[]).await.unwrap().unwrap();
        assert_eq!(row.get::<i64>(0).unwrap(), 1, "{table}");
    }
}

async fn c28_a_browser_turns_to_a_session_under_another_id(db: Database) {
    let street = build(&db).await;
    let (project, session, later) = (street.project.id, street.session.id, NOW.plus(Duration::from_secs(9)));
    let [first, second] = [b"first", b"other"].map(|cookie| Digest::of(cookie));
    db.write(async move |tx| browsers::turn(tx, None, first, (project, session), NOW, later).await)
        .await
        .unwrap();
    let read = &mut &db;
    let found = browsers::load(read, first, NOW).await.unwrap().unwrap();
    assert_eq!(found, [(project.to_string(), session.to_string())].into());
    // What it is signed in to elsewhere stays.
    let elsewhere = ProjectId::from_u128(2);
    db.write(async move |tx| browsers::turn(tx, Some(first), second, (elsewhere, session), NOW, later).await)
        .await
        .unwrap();
    assert!(browsers::load(read, first, NOW).await.unwrap().is_none(), "the old cookie is dead");
    let found = browsers::load(read, second, NOW).await.unwrap().unwrap();
    assert_eq!(found, [project, elsewhere].map(|project| (project.to_string(), session.to_string())).into());
}

async fn a_user_is_as_the_last_sign_in_said(db: Database) {
    let street = build(&db).await;
    let (project, domain) = (street.project.id, Some(street.domain.id));
    let mut unnamed = street.user.clone();
    (unnamed.email, unnamed.email_verified_at, unnamed.profile) = (None, None, Profile::default());
    for said in [street.user.clone(), unnamed, street.user.clone()] {
        let user = said.clone();
        db.write(async move |tx| users::update(tx, &user, domain).await).await.unwrap();
        assert_eq!(users::by_id(&mut &db, project, said.id).await.unwrap(), Some(said));
    }
}

async fn settings_are_what_stands_there_now(db: Database) {
    let street = build(&db).await;
    let (project, mut connection, mut application) =
        (street.project.id, street.connection, street.application);
    for limited in [true, false, true] {
        connection.settings.silent_sign_in = limited;
        application.settings.organizations_limited = limited;
        let (changed, used) = (connection.clone(), application.clone());
        db.write(async move |tx| {
            connections::update(tx, &changed).await?;
            applications::update(tx, &used).await
        })
        .await
        .unwrap();
        let read = &mut &db;
        assert_eq!(
            connections::by_id(read, project, connection.id).await.unwrap().as_ref(),
            Some(&connection)
        );
        let found = applications::by_id(read, project, application.id).await.unwrap().unwrap();
        assert_eq!(found.settings.organizations_limited, limited);
    }
}

async fn s2_29_a_retired_slug_is_never_given_to_another_organization(db: Database) {
    let street = build(&db).await;
    let mut renamed = street.a.clone();
    renamed.slug = "renamed".into();
    db.write(async move |tx| organizations::update(tx, &renamed).await).await.unwrap();
    let mut thief = street.b.clone();
    thief.slug = "a".into();
    let stolen = db.write(async move |tx| organizations::update(tx, &thief).await).await;
    assert!(matches!(stolen, Err(StoreError::Unique { .. })), "{stolen:?}");
    assert_eq!(organizations::by_id(&mut &db, street.project.id, street.b.id).await.unwrap(), Some(street.b));
    let mut back = street.a.clone();
    back.slug = "a".into();
    db.write(async move |tx| organizations::update(tx, &back).await).await.unwrap();
}

async fn c15_one_organization_holds_a_domain(db: Database) {
    let street = build(&db).await;
    let mut claim = street.domain.clone();
    claim.id = DomainId::from_u128(31);
    claim.organization_id = street.b.id;
    claim.state = DomainState::Pending;
    let pending = claim.clone();
    db.write(async move |tx| domains::insert(tx, &pending).await).await.unwrap();
    claim.state = DomainState::Verified;
    let verified = db.write(async move |tx| domains::update(tx, &claim).await).await;
    assert!(matches!(verified, Err(StoreError::Unique { .. })), "{verified:?}");
    let held = domains::held(&mut &db, street.project.id, &street.domain.name).await.unwrap();
    assert_eq!(held.map(|domain| domain.organization_id), Some(street.a.id));
    assert_eq!(domains::claims(&mut &db, street.project.id, &street.domain.name).await.unwrap().len(), 2);
    let mut a = street.a.clone();
    a.deactivated_at = Some(NOW);
    db.write(async move |tx| organizations::update(tx, &a).await).await.unwrap();
    let held = domains::held(&mut &db, street.project.id, &street.domain.name).await.unwrap();
    assert_eq!(held.map(|domain| domain.organization_id), Some(street.a.id), "shut down is not given up");
}

async fn routes(db: &Database, project: ProjectId, name: &DomainName) -> Vec<ConnectionId> {
    let routed = domains::routed(&mut &*db, project, name).await.unwrap();
    routed.into_iter().map(|(connection, _)| connection.id).collect()
}

async fn routing_follows_every_switch(db: Database) {
    let street = build(&db).await;
    let (project, name) = (street.project.id, street.domain.name.clone());
    let routed = async || {
        let routes = routes(&db, project, &name).await;
        let asserts = domains::asserted_by(&mut &db, street.connection.id, &name).await.unwrap().is_some();
        assert_eq!(routes == [street.connection.id], asserts, "routing and assertion are one rule");
        asserts
    };
    assert!(routed().await);
    assert!(routes(&db, project, &DomainName::parse("dev.a.test").unwrap()).await.is_empty());

    for change in ["state", "switch", "lapse", "connection", "organization"] {
        let (mut domain, mut connection, mut a) =
            (street.domain.clone(), street.connection.clone(), street.a.clone());
        match change {
            "state" => domain.state = DomainState::Pending,
            "switch" => domain.routing_since = None,
            "lapse" => domain.state = DomainState::Lapsed,
            "connection" => connection.state = ConnectionState::Disabled,
            _ => a.deactivated_at = Some(NOW),
        }
        db.write(async move |tx| {
            domains::update(tx, &domain).await?;
            connections::update(tx, &connection).await?;
            organizations::update(tx, &a).await
        })
        .await
        .unwrap();
        assert!(!routed().await, "{change}");
        let (domain, connection, a) = (street.domain.clone(), street.connection.clone(), street.a.clone());
        db.write(async move |tx| {
            domains::update(tx, &domain).await?;
            connections::update(tx, &connection).await?;
            organizations::update(tx, &a).await
        })
        .await
        .unwrap();
        assert!(routed().await, "{change} undone");
    }
    // A connection of another organization is never routed to, even if a row says so.
    let mut foreign = street.connection.clone();
    foreign.id = ConnectionId::from_u128(21);
    foreign.slug = "foreign".into();
    foreign.organization_id = Some(street.b.id);
    let domain = street.domain.id;
    db.write(async move |tx| {
        connections::insert(tx, &foreign).await?;
        domains::set_connections(tx, domain, &[foreign.id]).await
    })
    .await
    .unwrap();
    assert!(routes(&db, project, &name).await.is_empty());
    assert!(domains::asserted_by(&mut &db, ConnectionId::from_u128(21), &name).await.unwrap().is_none());
}

async fn c03_a_proved_address_belongs_to_one_user_within_one_claim_of_its_domain(db: Database) {
    let street = build(&db).await;
    let mut twin = street.user.clone();
    twin.id = UserId::from_u128(42);
    let (again, claim) = (twin.clone(), street.domain.id);
    let refused = db.write(async move |tx| users::insert(tx, &again, Some(claim)).await).await;
    assert!(
        matches!(&refused, Err(StoreError::Unique { what }) if what.contains("email_claim")),
        "{refused:?}"
    );
    // C16: whoever comes to hold the domain later is not held up by, and gets nothing of, its former people.
    let later = twin.clone();
    db.write(async move |tx| users::insert(tx, &later, Some(DomainId::from_u128(99))).await).await.unwrap();
    assert!(memberships::find(&mut &db, street.a.id, twin.id).await.unwrap().is_none());
}

async fn expected_members_are_taken_once(db: Database) {
    let street = build(&db).await;
    let (project, user) = (street.project.id, street.user.id);
    let expected = Expected {
        organization_id: street.b.id,
        email: email("ann@a.test"),
        kind: MembershipKind::Guest,
        roles: vec!["admin".into()],
        used_by: None,
    };
    let place = expected.clone();
    db.write(async move |tx| memberships::expect(tx, project, &place, NOW).await).await.unwrap();
    let take = async || {
        db.write(async move |tx| {
            memberships::take_expected(tx, project, &email("ann@a.test"), user, None, NOW, NOW).await
        })
        .await
        .unwrap()
    };
    assert_eq!(take().await, [(Expected { used_by: Some(user), ..expected.clone() }, NOW)]);
    assert_eq!(take().await, []);
    let place = expected.clone();
    db.write(async move |tx| memberships::expect(tx, project, &place, NOW).await).await.unwrap();
    assert_eq!(take().await, [], "writing it down again does not make it usable again");
}

async fn c16_places_kept_before_count_for_the_own_organization_alone(db: Database) {
    let street = build(&db).await;
    let (project, user, now) = (street.project.id, street.user.id, NOW.plus(Duration::from_secs(9)));
    let place = |organization_id| Expected {
        organization_id,
        email: email("ann@a.test"),
        kind: MembershipKind::Guest,
        roles: vec!["admin".into()],
        used_by: None,
    };
    let (own, other) = (place(street.a.id), place(street.b.id));
    for place in [own.clone(), other.clone()] {
        db.write(async move |tx| memberships::expect(tx, project, &place, NOW).await).await.unwrap();
    }
    let take = async |since| {
        let (ann, own) = (email("ann@a.test"), Some(street.a.id));
        let taken = db.write(async move |tx| {
            memberships::take_expected(tx, project, &ann, user, own, since, now).await
        });
        taken.await.unwrap()
    };
    assert_eq!(take(now).await, [(Expected { used_by: Some(user), ..own }, NOW)]);
    assert_eq!(take(NOW).await, [(Expected { used_by: Some(user), ..other }, NOW)]);
}

async fn s2_21_choices_are_memberships_and_delegations_in_force(db: Database) {
    let street = build(&db).await;
    let made = delegation(&street);
    db.write(async move |tx| delegations::insert(tx, &made, NOW).await).await.unwrap();
    let names = async |now: Moment| {
        let found =
            choices::of(&mut &db, &street.application, &street.user, now, choices::ALL).await.unwrap();
        found.into_iter().map(|choice| (choice.slug, choice.delegation.is_some())).collect::<Vec<_>>()
    };
    let both = vec![("a".to_owned(), false), ("b".to_owned(), true)];
    let alone = vec![("a".to_owned(), false)];
    assert_eq!(names(NOW).await, both);
    assert_eq!(names(NOW.minus(Duration::from_millis(1))).await, alone, "not yet");
    assert_eq!(names(NOW.plus(Duration::from_secs(100))).await, alone, "no longer");

    type Change = fn(&mut Delegation);
    let changes: [(&str, Change); 5] = [
        ("home approval", |d| d.home_approved_at = None),
        ("target approval", |d| d.target_approved_at = None),
        ("pause", |d| d.paused_at = Some(NOW)),
        ("revocation", |d| d.revoked_at = Some(NOW)),
        ("only others", |d| d.settings.only = Some(vec![email("bob@a.test")])),
    ];
    for (name, change) in changes {
        let mut changed = delegation(&street);
        change(&mut changed);
        db.write(async move |tx| delegations::update(tx, &changed, NOW).await).await.unwrap();
        assert_eq!(names(NOW).await, alone, "{name}");
    }
    let restored = delegation(&street);
    db.write(async move |tx| delegations::update(tx, &restored, NOW).await).await.unwrap();
    assert_eq!(names(NOW).await, both);
    for status in [MembershipStatus::Suspended, MembershipStatus::Removed, MembershipStatus::Blocked] {
        let gone = Membership { status, ..membership(80, street.a.id, street.user.id) };
        db.write(async move |tx| memberships::update(tx, &gone, NOW).await).await.unwrap();
        assert_eq!(names(NOW).await, [], "who is not the home's own acts for nobody");
    }
}

fn grant(street: &Street, number: u128) -> Grant {
    Grant {
        id: GrantId::from_u128(number),
        origin: None,
        subject: None,
        project_id: street.project.id,
        session_id: street.session.id,
        application_id: street.application.id,
        user_id: street.user.id,
        organization: Some(street.a.id),
        delegation: None,
        request: GrantRequest { scopes: vec!["openid".into()], ..GrantRequest::default() },
        code_expires_at: NOW.plus(Duration::from_secs(60)),
        expires_at: NOW.plus(Duration::from_secs(3_600)),
        epochs: Epochs { organization: Some(3), home: None },
        revoked_at: None,
        refresh: None,
    }
}

async fn c23_a_code_is_used_once_and_its_replay_kills_the_family(db: Database) {
    let street = build(&db).await;
    let project = street.project.id;
    let (made, digest) = (grant(&street, 1), Digest::of(b"code"));
    let written = made.clone();
    db.write(async move |tx| grants::insert(tx, &written, digest, NOW).await).await.unwrap();
    let code = Code { project, grant: made.id, digest };
    let bound = Confirmation { jkt: Some("key".into()), certificate: None };
    let refresh = Refresh { secret: vec![1], generation: 0, rotated_at: NOW, expires_at: NOW, bound };
    let ends = NOW.plus(Duration::from_secs(9_000));
    let begun = Some((refresh.clone(), ends));
    let uses = async |code| {
        let begun = begun.clone();
        db.write(async move |tx| grants::use_code(tx, code, begun, NOW).await).await
    };
    let revokes = async |code| db.write(async move |tx| grants::revoke_by_code(tx, code, NOW).await).await;
    // Of another project, or another row, it is unknown, and stays good; so is another code of this row.
    let stranger = Code { project: ProjectId::from_u128(99), ..code };
    let elsewhere = Code { grant: GrantId::from_u128(2), ..code };
    let other = Code { digest: Digest::of(b"other"), ..code };
    for wrong in [stranger, elsewhere, other] {
        assert_eq!(uses(wrong).await, Ok(None));
        assert_eq!(revokes(wrong).await, Ok(None));
        assert_eq!(grants::was_used(&mut &db, wrong).await, Ok(false));
    }
    // Nobody has used it, so there is nothing to kill; and who comes when it has run out is too late.
    assert_eq!(revokes(code).await, Ok(None));
    assert_eq!(grants::was_used(&mut &db, code).await, Ok(false));
    let late = made.code_expires_at;
    assert_eq!(db.write(async move |tx| grants::use_code(tx, code, None, late).await).await, Ok(None));
    assert_eq!(grants::by_id(&mut &db, made.id).await.unwrap().unwrap().revoked_at, None);
    let results = futures_util::future::join_all((0..20).map(|_| uses(code))).await;
    let won: Vec<_> = results.into_iter().filter_map(Result::unwrap).collect();
    assert_eq!(won, [Grant { refresh: Some(refresh), expires_at: ends, ..made.clone() }]);
    assert_eq!(revokes(code).await.unwrap().unwrap().revoked_at, Some(NOW));
    assert_eq!(grants::by_id(&mut &db, made.id).await.unwrap().unwrap().revoked_at, Some(NOW));
    assert_eq!(revokes(code).await, Ok(None), "what is dead is not killed again");
    assert_eq!(grants::was_used(&mut &db, code).await, Ok(true));
    assert_eq!(uses(code).await, Ok(None));
}

fn saml_key(street: &Street, number: u128, generation: i64) -> SamlKeyRecord {
    SamlKeyRecord {
        id: KeyId::from_u128(number),
        project_id: street.project.id,
        purpose: Purpose::Signing,
        generation,
        certificate: vec![48, 0],
        private_key: vec![1, 2, 3],
        created_at: NOW,
        begins_at: None,
        ends_at: None,
        kept_until: None,
    }
}

async fn c29_saml_keys_are_made_once_and_wiped_when_they_are_kept_no_more(db: Database) {
    let street = build(&db).await;
    let (project, first) = (street.project.id, saml_key(&street, 1, 1));
    let insert = async |key: SamlKeyRecord| db.write(async move |tx| saml_keys::insert(tx, &key).await).await;
    insert(first.clone()).await.unwrap();
    let twin = insert(saml_key(&street, 2, 1)).await;
    assert!(matches!(twin, Err(StoreError::Unique { .. })), "two nodes at once make one");
    insert(SamlKeyRecord { purpose: Purpose::Decryption, ..saml_key(&street, 3, 1) }).await.unwrap();
    let kept = saml_keys::kept(&mut &db, project, NOW).await.unwrap();
    assert_eq!(
        kept.iter().map(|key| key.purpose).collect::<Vec<_>>(),
        [Purpose::Decryption, Purpose::Signing]
    );
    assert_eq!((&kept[1].private_key, kept[1].begins_at), (&first.private_key, None));

    let end = NOW.plus(Duration::from_secs(10));
    db.write(async move |tx| {
        saml_keys::begin(tx, first.id, NOW).await?;
        saml_keys::retire(tx, first.id, NOW, end).await
    })
    .await
    .unwrap();
    let found = saml_keys::kept(&mut &db, project, NOW).await.unwrap();
    assert_eq!(
        (found[1].begins_at, found[1].ends_at, found[1].kept_until),
        (Some(NOW), Some(NOW), Some(end))
    );
    assert_eq!(saml_keys::kept(&mut &db, project, end).await.unwrap().len(), 1);
    let sweep = async |at| db.write(async move |tx| saml_keys::sweep(tx, at).await).await.unwrap();
    assert_eq!((sweep(NOW).await, sweep(NOW.plus(Duration::from_secs(11))).await), (0, 1));
    let latest = saml_keys::latest_generation(&mut &db, project, Purpose::Signing).await.unwrap();
    assert_eq!(latest, 1, "and its generation is never made again");
}

async fn a_turn_to_read_metadata_is_taken_by_one_node(db: Database) {
    let street = build(&db).await;
    let turn = MetadataRead {
        connection_id: street.connection.id,
        next_read_at: NOW,
        read_at: NOW.minus(Duration::from_secs(5)),
        failures: 2,
        failure: Some("the answer had status 503".into()),
    };
    let put = async |turn: MetadataRead| {
        db.write(async move |tx| metadata_reads::put(tx, &turn).await).await.unwrap()
    };
    put(MetadataRead { failures: 0, failure: None, ..turn.clone() }).await;
    put(turn.clone()).await;
    assert_eq!(metadata_reads::find(&mut &db, turn.connection_id).await.unwrap(), Some(turn.clone()));
    let due = async |now| metadata_reads::due(&mut &db, now, 10).await.unwrap();
    assert_eq!(due(NOW.minus(Duration::from_millis(1))).await, []);
    assert_eq!(due(NOW).await, [(street.project.id, turn.clone())]);
    let tries = (0..10).map(|_| {
        let turn = turn.clone();
        db.write(async move |tx| metadata_reads::claim(tx, &turn, NOW.plus(Duration::from_secs(60))).await)
    });
    let taken = futures_util::future::join_all(tries).await;
    assert_eq!(taken.into_iter().filter(|taken| *taken == Ok(true)).count(), 1);
    assert_eq!(due(NOW).await, []);
    let id = turn.connection_id;
    db.write(async move |tx| metadata_reads::remove(tx, id).await).await.unwrap();
    assert_eq!(metadata_reads::find(&mut &db, id).await.unwrap(), None);
}

async fn h18_of_what_ends_one_node_tells_once_at_each_stage(db: Database) {
    let id = build(&db).await.connection.id;
    let (first, later) = (NOW, NOW.plus(Duration::from_secs(60)));
    for (what, moment, stage, news) in [
        (Notice::ProviderCertificate, first, 1, true),
        (Notice::SigningCertificate, first, 1, true),
        (Notice::ProviderCertificate, first, 1, false),
        (Notice::ProviderCertificate, first, 3, true),
        (Notice::ProviderCertificate, first, 2, false),
        (Notice::ProviderCertificate, later, 1, true),
        (Notice::ProviderCertificate, later, 1, false),
    ] {
        let told = connection_notices::is_told(&mut &db, id, what, (moment, stage)).await.unwrap();
        assert_eq!(told, !news, "{what} {stage}");
        let tries = (0..10)
            .map(|_| db.write(async move |tx| connection_notices::tell(tx, id, what, (moment, stage)).await));
        let told: Vec<Result<bool, StoreError>> = futures_util::future::join_all(tries).await;
        assert_eq!(
            told.iter().filter(|told| **told == Ok(true)).count(),
            usize::from(news),
            "{what} {stage}"
        );
    }
}

async fn m07_what_was_used_is_never_first_again(db: Database) {
    let tries = (0..20).map(|_| db.write(async move |tx| used::first(tx, "jti", "rp1", "x", NOW).await));
    let results = futures_util::future::join_all(tries).await;
    assert_eq!(results.into_iter().filter(|first| *first == Ok(true)).count(), 1);
    let other = db.write(async move |tx| used::first(tx, "jti", "rp2", "x", NOW).await).await;
    assert_eq!(other, Ok(true), "another client's id is another id");
}

async fn m21_a_pushed_request_is_taken_once_by_its_own_application(db: Database) {
    let street = build(&db).await;
    let (project, application) = (street.project.id, street.application.id);
    let until = NOW.plus(Duration::from_secs(60));
    let push = async |name: &[u8], until: Moment| {
        let (digest, asked) = (Digest::of(name), asked(application));
        db.write(async move |tx| pushed_requests::insert(tx, digest, project, &asked, until).await).await
    };
    let take = async |name: &[u8], by: ApplicationId, now: Moment| {
        let digest = Digest::of(name);
        db.write(async move |tx| pushed_requests::take(tx, digest, by, now).await).await.unwrap()
    };
    push(b"one", until).await.unwrap();
    assert!(matches!(push(b"one", until).await, Err(StoreError::Unique { .. })));
    let stranger = ApplicationId::from_u128(99);
    assert_eq!(take(b"one", stranger, NOW).await, None);
    assert_eq!(take(b"other", application, NOW).await, None);
    assert_eq!(take(b"one", application, until).await, None, "too late");
    let taken = futures_util::future::join_all((0..20).map(|_| take(b"one", application, NOW))).await;
    let taken: Vec<_> = taken.into_iter().flatten().collect();
    assert_eq!(taken, [asked(application)]);
    push(b"old", NOW.minus(Duration::from_secs(1))).await.unwrap();
    push(b"young", until).await.unwrap();
    let swept = db.write(async move |tx| pushed_requests::sweep(tx, NOW).await).await;
    assert_eq!((swept, take(b"young", application, NOW).await.is_some()), (Ok(1), true));
}

fn asked(application: ApplicationId) -> Asked {
    let whole = serde_json::json!({ "application": application, "redirect_uri": "https://rp1.test/", "redirect_uri_given": true,
        "scopes": ["openid"], "prompt": {}, "organization": { "named": { "name": "org-a" } }, "resources": ["urn:a"],
        "response_mode": "form_post.jwt", "acr": { "values": ["x"], "essential": true } });
    serde_json::from_value(whole).unwrap()
}

async fn what_has_run_out_is_swept_and_nothing_else(db: Database) {
    let street = build(&db).await;
    let (old, young) = (grant(&street, 1), grant(&street, 2));
    let old = Grant { expires_at: NOW.minus(Duration::from_secs(1)), ..old };
    db.write(async move |tx| {
        grants::insert(tx, &old, Digest::of(b"1"), NOW).await?;
        grants::insert(tx, &young, Digest::of(b"2"), NOW).await?;
        used::first(tx, "jti", "rp1", "old", NOW.minus(Duration::from_secs(1))).await?;
        used::first(tx, "jti", "rp1", "young", NOW.plus(Duration::from_secs(1))).await?;
        assert_eq!(grants::sweep(tx, NOW).await?, 1);
        assert_eq!(used::sweep(tx, NOW).await?, 1);
        // A logout is remembered for as long as what was issued before it could come.
        let (by, name) = (ConnectionId::from_u128(1), "ann");
        sessions::upstream_over(tx, by, name, &[], NOW).await?;
        sessions::upstream_over(tx, by, name, &[], NOW.minus(Duration::from_secs(5))).await?;
        let value = name.to_owned();
        let name = UpstreamName {
            value,
            format: None,
            name_qualifier: None,
            sp_name_qualifier: None,
            secrecy: Secrecy::Open,
        };
        let (whole, ann) = (sessions::OVER_FOR, UpstreamSession { name: Some(name), index: None });
        let last = NOW.plus(whole - Duration::from_secs(1));
        // An earlier logout takes nothing back.
        assert!(sessions::is_upstream_over(tx, by, &ann, NOW, last).await?);
        assert!(!sessions::is_upstream_over(tx, by, &ann, NOW, NOW.plus(whole)).await?);
        assert_eq!(sessions::sweep_over(tx, NOW.plus(whole)).await?, 0);
        assert_eq!(sessions::sweep_over(tx, NOW.plus(whole + Duration::from_secs(1))).await?, 2);
        assert_eq!(browsers::sweep(tx, NOW).await?, 0);
        assert_eq!(sessions::sweep(tx, NOW).await?, 0);
        Ok::<_, StoreError>(())
    })
    .await
    .unwrap();
    assert!(grants::by_id(&mut &db, GrantId::from_u128(1)).await.unwrap().is_none());
    assert!(grants::by_id(&mut &db, GrantId::from_u128(2)).await.unwrap().is_some());
    let later = NOW.plus(Duration::from_secs(4_000));
    db.write(async move |tx| sessions::sweep(tx, later).await).await.unwrap();
    let read = &mut &db;
    assert!(sessions::by_id(read, street.project.id, street.session.id).await.unwrap().is_none());
    assert!(read.one("SELECT 1 FROM users WHERE id = $1", params![street.user.id]).await.unwrap().is_some());
}
