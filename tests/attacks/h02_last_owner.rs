//! H02: the last owners of an organization go at the same moment, each by another way.

use std::sync::Arc;

use behalf::audit::Keep;
use behalf::foundation::id::{MembershipId, OrganizationId, UserId};
use behalf::join::owners::{self, NotChanged};
use behalf::model::audit_event::Actor;
use behalf::model::membership::{Membership, MembershipStatus};
use behalf::store::durable::engine::{Database, StoreError};
use behalf::store::durable::{memberships, projects};
use futures_util::{StreamExt, stream};
use serde_json::json;

use crate::house::api::Api;
use crate::house::broker::{Engine, House};

const RACES: usize = 2_000;

/// The ways to be an owner no more.
#[derive(Clone, Copy, Debug)]
enum Way {
    Leave,
    Demote,
    Suspend,
    Disable,
}

const WAYS: [Way; 4] = [Way::Leave, Way::Demote, Way::Suspend, Way::Disable];

/// Tries it until nobody else is faster; tells whether it was done.
async fn goes(db: &Database, keep: &Keep, organization: OrganizationId, user: UserId, way: Way) -> bool {
    loop {
        let keep = keep.clone();
        let done = db
            .write(async move |tx| {
                if let Way::Disable = way {
                    return owners::disable(tx, &keep, user).await;
                }
                let before = memberships::locked(tx, organization, user).await?;
                let before = before.ok_or(StoreError::Conflict)?;
                let after = match way {
                    Way::Leave => Membership { status: MembershipStatus::Removed, ..before },
                    Way::Suspend => Membership { status: MembershipStatus::Suspended, ..before },
                    _ => Membership { roles: vec!["admin".into()], ..before },
                };
                owners::change(tx, &keep, &after).await
            })
            .await;
        match done {
            Ok(()) => return true,
            Err(NotChanged::LastOwner(_)) => return false,
            Err(NotChanged::Store(StoreError::Conflict)) => {}
            Err(NotChanged::Store(error)) => panic!("{error}"),
        }
    }
}

/// An organization each with two owners; one person owns no more than one of them, but for the first owner of every
/// other one, who owns the next, too.
async fn plant(house: &House) -> Vec<(OrganizationId, [UserId; 2])> {
    let project = projects::by_slug(&mut &house.broker.db, "default").await.unwrap().unwrap().id;
    let (random, now) = (house.broker.random.clone(), house.broker.now());
    let mut streets = Vec::new();
    for _ in 0..RACES {
        let made = OrganizationId::new(&random, now);
        streets.push((made, [UserId::new(&random, now), UserId::new(&random, now)]));
    }
    let all = Arc::new(streets);
    let (planted, random) = (Arc::clone(&all), random.clone());
    let work = house.broker.db.write(async move |tx| {
        for (organization, users) in planted.iter() {
            let sql = "INSERT INTO organizations (id, project_id, slug, display_name, name_key, policy, epoch, created_at, updated_at)
                       SELECT $1, $2, $1, $1, name_key, policy, 0, 0, 0 FROM organizations WHERE slug = 'org-a'";
            tx.execute(sql, behalf::params![organization, project]).await?;
            for user in users {
                let sql = "INSERT INTO users (id, project_id, profile, created_at, updated_at) VALUES ($1, $2, '{}', 0, 0)";
                tx.execute(sql, behalf::params![user, project]).await?;
                let id = MembershipId::new(&random, now);
                let sql = "INSERT INTO memberships (id, project_id, organization_id, user_id, kind, status, source, roles, created_at, updated_at)
                           VALUES ($1, $2, $3, $4, 'member', 'active', 'manual', '[\"owner\"]', 0, 0)";
                tx.execute(sql, behalf::params![id, project, organization, user]).await?;
                let sql = "INSERT INTO membership_roles (organization_id, role, membership_id) VALUES ($1, 'owner', $2)";
                tx.execute(sql, behalf::params![organization, id]).await?;
            }
        }
        Ok::<_, StoreError>(())
    });
    work.await.unwrap();
    all.to_vec()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h02_two_thousand_races_leave_no_organization_without_an_owner() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = House::on(engine).await;
        let streets = plant(&house).await;
        let keep = Keep {
            random: house.broker.random.clone(),
            project: projects::by_slug(&mut &house.broker.db, "default").await.unwrap().unwrap(),
            actor: Actor::Operator,
            by: None,
            request: None,
            now: house.broker.now(),
        };
        // Two nodes, where a database can have two.
        let first = house.broker.db.clone();
        let second = match engine {
            Engine::Sqlite => first.clone(),
            Engine::Postgres => Database::open(&house.broker.config.database).await.unwrap(),
        };
        let races = streets.iter().enumerate().map(|(number, (organization, [one, other]))| {
            let ways = (WAYS[number % 4], WAYS[number / 4 % 4]);
            let (first, second, keep) = (&first, &second, &keep);
            async move {
                let (a, b) = futures_util::join!(
                    goes(first, keep, *organization, *one, ways.0),
                    goes(second, keep, *organization, *other, ways.1)
                );
                (a, b, ways)
            }
        });
        let told: Vec<_> = stream::iter(races).buffer_unordered(16).collect().await;
        for (one, other, ways) in &told {
            assert!(one ^ other, "one goes and the other stays: {ways:?}, {one} and {other}");
        }
        for (organization, _) in &streets {
            assert!(memberships::has_owner(&mut &first, *organization).await.unwrap(), "{organization}");
        }
    }
}

#[tokio::test]
async fn h02_of_two_requests_that_take_the_last_owners_away_one_is_refused() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        for round in 0..10 {
            let slug = format!("h02-{round}");
            operator.post("/organizations", json!({"name": slug})).await;
            let mut paths = Vec::new();
            for who in ["x", "y"] {
                let user = house.has_member(&format!("{who}{round}@c.test"), &slug, &["owner"]).await;
                paths.push(format!("/organizations/{slug}/members/{user}"));
            }
            let suspend = operator.patch(&paths[1], json!({"status": "suspended"}));
            let role = format!("{}/role", paths[1]);
            let demote = operator.patch(&role, json!({"role": "member"}));
            let remove = operator.send(reqwest::Method::DELETE, &paths[0], |request| request);
            let (gone, other) = if round % 2 == 0 {
                futures_util::join!(remove, suspend)
            } else {
                futures_util::join!(remove, demote)
            };
            let fine = [&gone, &other].iter().filter(|answer| answer.status.is_success()).count();
            assert_eq!(fine, 1, "{} {}", gone.body, other.body);
            let refused = [&gone, &other].into_iter().find(|answer| answer.status == 409).unwrap();
            assert_eq!(refused.json()["code"], json!("last_owner"));
            assert_eq!(
                operator.get(&format!("/organizations/{slug}")).await.json()["has_owner"],
                json!(true)
            );
        }
    }
}
