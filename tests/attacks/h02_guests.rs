//! H02 the other way round, of guests: an owner who comes by the connection of another organization, as a holding's people
//! own its subsidiaries.

use std::sync::Arc;

use behalf::manage::house_file::Mode;
use behalf::store::durable::engine::{Lock, StoreError};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::house::api::Api;
use crate::house::broker::{Engine, House};
use crate::house::visitor::Answer;

const ENGINES: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];
const LOCKED_OUT: &str = "organization.owners_locked_out";

/// Ann comes by the connection of A, and owns organizations of her own; A has another owner, who comes by that of B.
async fn guests(house: &House, operator: &Api, count: usize) {
    Api::person(house, "ann@a.test", "org-a").await;
    Api::person(house, "bob@b.test", "org-b").await;
    let (ann, bob) = (house.user("ann@a.test").await, house.user("bob@b.test").await);
    house.joins(bob.parse().unwrap(), "org-a", &["owner"]).await;
    for number in 0..count {
        let body = json!({"name": format!("Guest {number}"), "slug": format!("guest-{number}"), "owner_user_id": ann});
        let made = operator.post("/organizations", body).await;
        assert_eq!(made.status, 201, "{}", made.body);
        // In the order of their ids.
        house.turn_clock(1);
    }
}

async fn acts(api: &Api, method: Method, path: &str) -> Answer {
    api.send(method, path, |ask| ask).await
}

fn locked(answer: &Answer, organization: &str, missing: &str) {
    let told = answer.json();
    assert_eq!((answer.status.as_u16(), &told["code"]), (409, &json!("policy_locks_out")), "{}", answer.body);
    assert_eq!((&told["organization"], &told["missing"]), (&json!(organization), &json!([missing])));
}

async fn domain_of(house: &House, name: &str) -> String {
    let id = house.text(&format!("SELECT id FROM domains WHERE name = '{name}'")).await.unwrap();
    format!("/organizations/org-a/domains/{id}")
}

#[tokio::test]
async fn h02_the_operator_is_told_whom_of_others_a_connection_or_a_domain_locks_out() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        guests(&house, &operator, 1).await;
        let ca = format!("/connections/{}", house.connection("ca").await);
        let domain = domain_of(&house, "a.test").await;
        let gone = "owner_by_active_connection";
        for (method, path) in [(Method::POST, format!("{ca}/disable")), (Method::DELETE, ca.clone())] {
            let before = house.before().await;
            locked(&acts(&operator, method, &path).await, "guest-0", gone);
            house.refused(&before, "policy_locks_out").await;
        }
        let before = house.before().await;
        locked(
            &operator.patch(&domain, json!({"use_for_routing": false})).await,
            "guest-0",
            "owner_by_routed_domain",
        );
        house.refused(&before, "policy_locks_out").await;
        let before = house.before().await;
        locked(&acts(&operator, Method::DELETE, &domain).await, "guest-0", "owner_by_routed_domain");
        house.refused(&before, "policy_locks_out").await;

        // So does the operator's file, which goes on.
        let start = "[connection.ca]\norganization = \"org-a\"\ntype = \"oidc\"\ndisplay_name = \"A Login\"\nstate = \"";
        assert!(house.file.contains(start));
        let text = house.file.replace(&format!("{start}active"), &format!("{start}disabled"));
        let report = house.reports(&text, Mode::Plan).await;
        let told =
            |warning: &String| warning.starts_with("organization guest-0: no owner can sign in any more");
        assert!(report.warnings.iter().any(told), "{:?}", report.warnings);

        // What the operator insists on is done, and told where it happened.
        let forced = acts(&operator, Method::POST, &format!("{ca}/disable?force=true")).await;
        assert_eq!(forced.status, 200, "{}", forced.body);
        let trail = house.audit().await;
        let told: Vec<_> = trail.iter().filter(|event| event.action == LOCKED_OUT).collect();
        assert_eq!(told.len(), 1, "A itself has another owner: {told:?}");
        assert_eq!(told[0].organization, Some(house.organization("guest-0").await));
        assert_eq!(told[0].detail["missing"], json!([gone]));
    }
}

#[tokio::test]
async fn h02_s0_24_strangers_keep_nobody_from_shutting_a_door_of_their_own_and_nothing_is_told_of_them() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        guests(&house, &operator, 1).await;
        let key = Api::key(&house, "org-a", &["connections:read", "connections:write"]).await;
        let ca = format!("/connections/{}", house.connection("ca").await);
        let shut = acts(&key, Method::POST, &format!("{ca}/disable")).await;
        assert_eq!(shut.status, 200, "{}", shut.body);
        assert!(!shut.body.contains("guest"), "{}", shut.body);
        let (a, guest) = (house.organization("org-a").await, house.organization("guest-0").await);
        let trail = house.audit().await;
        let told: Vec<_> = trail.iter().filter(|event| event.action == LOCKED_OUT).collect();
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!((&told[0].organization, &*told[0].actor), (&Some(guest.clone()), "anonymous"));
        let said = json!({"by": "another_organization", "missing": ["owner_by_active_connection"]});
        assert_eq!(told[0].detail, said, "not who it was");
        let own = trail.iter().filter(|event| event.organization.as_ref() == Some(&a));
        assert!(own.map(|event| event.detail.to_string()).all(|detail| !detail.contains(&guest)));
    }
}

#[tokio::test]
async fn h02_of_many_organizations_the_first_that_would_be_locked_out_is_told() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        guests(&house, &operator, 12).await;
        let project = json!({"log_in_with_oidc": false});
        let before = house.before().await;
        let refused = operator.patch("/project/policy", project.clone()).await;
        assert_eq!(refused.json()["missing"], json!(["owner_by_open_method"]), "{}", refused.body);
        house.refused(&before, "policy_locks_out").await;
        let ca = format!("/connections/{}", house.connection("ca").await);
        let before = house.before().await;
        locked(
            &acts(&operator, Method::POST, &format!("{ca}/disable")).await,
            "guest-0",
            "owner_by_active_connection",
        );
        house.refused(&before, "policy_locks_out").await;
        // All of them are told of, where the operator insists.
        let forced = operator.patch("/project/policy?force=true", project).await;
        assert_eq!(forced.status, 200, "{}", forced.body);
        let trail = house.audit().await;
        let mut told: Vec<Value> = trail
            .iter()
            .filter(|event| event.action == LOCKED_OUT)
            .map(|event| json!(event.organization))
            .collect();
        told.sort_by_key(ToString::to_string);
        told.dedup();
        assert_eq!(told.len(), 14, "A, B and the twelve");
    }
}

#[tokio::test]
async fn h02_two_doors_of_two_hosts_that_are_shut_at_once_do_not_lock_a_guest_out() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        guests(&house, &operator, 1).await;
        // Ann comes by the connection of A and Bob by that of B, and they own all three together.
        let (ann, bob) = (house.user("ann@a.test").await, house.user("bob@b.test").await);
        house.joins(ann.parse().unwrap(), "org-b", &["owner"]).await;
        house.joins(bob.parse().unwrap(), "guest-0", &["owner"]).await;
        let doors = [house.connection("ca").await, house.connection("cb").await]
            .map(|id| format!("/connections/{id}"));
        for round in 0..2 {
            let [one, other] = doors.clone().map(|door| format!("{door}/disable"));
            let (one, other) =
                tokio::join!(acts(&operator, Method::POST, &one), acts(&operator, Method::POST, &other));
            let mut told = [one.status.as_u16(), other.status.as_u16()];
            told.sort_unstable();
            assert_eq!(told, [200, 409], "{round}: {} {}", one.body, other.body);
            for door in &doors {
                let open = acts(&operator, Method::POST, &format!("{door}/enable")).await;
                assert_eq!(open.status, 200, "{}", open.body);
            }
        }
        assert_eq!(house.events_of(LOCKED_OUT).await, 0);
    }
}

#[tokio::test]
async fn h02_s0_31_the_operator_is_told_whom_of_others_it_locks_out_with_an_organization() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        guests(&house, &operator, 1).await;
        let at = "/organizations/org-a";
        let off = json!({"name": "A Corporation", "deactivate": true});
        let gone = "owner_by_active_connection";
        let before = house.before().await;
        locked(&acts(&operator, Method::POST, &format!("{at}/deactivate")).await, "guest-0", gone);
        house.refused(&before, "policy_locks_out").await;
        let before = house.before().await;
        locked(&operator.put(at, off.clone()).await, "guest-0", gone);
        house.refused(&before, "policy_locks_out").await;
        let before = house.before().await;
        locked(&acts(&operator, Method::DELETE, &format!("{at}?confirm=org-a")).await, "guest-0", gone);
        house.refused(&before, "policy_locks_out").await;

        // So does the operator's file, which goes on.
        let start = "[organization.org-a]\n";
        assert!(house.file.contains(start));
        let text = house.file.replacen(start, &format!("{start}active = false\n"), 1);
        let report = house.reports(&text, Mode::Plan).await;
        let told =
            |warning: &String| warning.starts_with("organization guest-0: no owner can sign in any more");
        assert!(report.warnings.iter().any(told), "{:?}", report.warnings);

        // What the operator insists on is done, and told where it happened; whoever is out already is told no more.
        for (method, path, body, told) in [
            (Method::POST, format!("{at}/deactivate?force=true"), Value::Null, 1),
            (Method::POST, format!("{at}/reactivate"), Value::Null, 1),
            (Method::PUT, format!("{at}?force=true"), off, 2),
            (Method::DELETE, format!("{at}?confirm=org-a"), Value::Null, 2),
        ] {
            let done = match body {
                Value::Null => acts(&operator, method, &path).await,
                body => operator.write(method, &path, body).await,
            };
            assert!(done.status.is_success(), "{path}: {}", done.body);
            assert_eq!(house.events_of(LOCKED_OUT).await, told, "{path}");
        }
        let (guest, trail) = (house.organization("guest-0").await, house.audit().await);
        let told = trail.iter().filter(|event| event.action == LOCKED_OUT);
        assert!(told.clone().all(|event| event.organization.as_ref() == Some(&guest)));
        assert!(told.clone().all(|event| event.detail["missing"] == json!([gone])));
    }
}

#[tokio::test]
async fn h02_s1_r05_whoever_deletes_their_organization_asks_no_stranger_and_the_strangers_trail_tells_of_it()
{
    for engine in ENGINES {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        guests(&house, &operator, 1).await;
        let ann = Api::person(&house, "ann@a.test", "org-a").await;
        let path = "/organizations/org-a?confirm=org-a";
        let before = house.before().await;
        let insists = acts(&ann, Method::DELETE, &format!("{path}&force=true")).await;
        assert_eq!((insists.status.as_u16(), &insists.json()["code"]), (403, &json!("operator_required")));
        house.refused(&before, "operator_required").await;
        let (a, guest) = (house.organization("org-a").await, house.organization("guest-0").await);
        let deleted = acts(&ann, Method::DELETE, path).await;
        assert_eq!(deleted.status, 202, "{}", deleted.body);
        assert!(!deleted.body.contains("guest"), "{}", deleted.body);
        let trail = house.audit().await;
        let told: Vec<_> = trail.iter().filter(|event| event.action == LOCKED_OUT).collect();
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!((&told[0].organization, &*told[0].actor), (&Some(guest.clone()), "anonymous"));
        let said = json!({"by": "another_organization", "missing": ["owner_by_active_connection"]});
        assert_eq!(told[0].detail, said, "not who it was");
        let own = trail.iter().filter(|event| event.organization.as_ref() == Some(&a));
        assert!(own.map(|event| event.detail.to_string()).all(|detail| !detail.contains(&guest)));
    }
}

/// Whoever writes to several organizations locks them in the order of their ids. So does who shuts a door by which the owners
/// of another one come: or two who are each other's guests would each wait for what the other one holds.
#[tokio::test]
async fn h02_whoever_shuts_a_guests_door_holds_nothing_while_they_wait_for_the_guest() {
    for way in ["deactivate", "disable", "remove"] {
        let house = House::on(Engine::Postgres).await;
        let operator = Api::operator(&house).await;
        guests(&house, &operator, 0).await;
        // Of each an owner comes by the connection of the other one.
        let ann = house.user("ann@a.test").await;
        house.joins(ann.parse().unwrap(), "org-b", &["owner"]).await;
        let mut both = [("org-a", "ca"), ("org-b", "cb")];
        if house.organization("org-b").await < house.organization("org-a").await {
            both.reverse();
        }
        let [(guest, _), (host, connection)] = both;
        let connection = format!("/connections/{}", house.connection(connection).await);
        let path = match way {
            "deactivate" => format!("/organizations/{host}/deactivate?force=true"),
            "disable" => format!("{connection}/disable?force=true"),
            _ => format!("{connection}?force=true"),
        };
        let (guest, host) = (house.organization(guest).await, house.organization(host).await);
        let method = if way == "remove" { Method::DELETE } else { Method::POST };
        let (locked, db) = (Arc::new(Notify::new()), house.broker.db.clone());
        let told = Arc::clone(&locked);
        let free = format!("SELECT 1 FROM organizations WHERE id = '{host}' FOR NO KEY UPDATE NOWAIT");
        let free: &'static str = Box::leak(free.into_boxed_str());
        let holds = house.broker.db.write(async move |tx| {
            tx.lock(Lock::Exclusive, "organizations", &guest).await?;
            told.notify_one();
            let waiting = "SELECT 1 FROM pg_stat_activity
                           WHERE datname = current_database() AND wait_event_type = 'Lock'";
            while db.all(waiting, &[]).await?.is_empty() {}
            tx.execute(free, &[]).await?;
            Ok::<_, StoreError>(())
        });
        let shuts = async {
            locked.notified().await;
            acts(&operator, method, &path).await
        };
        let (held, answer) = tokio::join!(holds, shuts);
        assert!(held.is_ok(), "{way}: {held:?}");
        assert!(answer.status.is_success(), "{way}: {}", answer.body);
    }
}
