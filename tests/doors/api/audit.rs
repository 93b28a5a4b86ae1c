//! What was recorded: looked through, exported, and verified against who changes the past.

use std::process::{Command, Output};

use behalf::chores::audit as chores;
use behalf::chores::purge;
use behalf::model::api_key::OperatorRole;
use behalf::store::durable::projects;
use reqwest::Method;
use serde_json::{Value, json};

use crate::house::api::Api;
use crate::house::application::{Application, Person};
use crate::house::broker::{Engine, House};
use crate::house::visitor::Visitor;

async fn listed(api: &Api, query: &str) -> Vec<Value> {
    let answer = api.get(&format!("/audit-events?{query}")).await;
    assert_eq!(answer.status, 200, "{query}: {}", answer.body);
    answer.json()["items"].as_array().unwrap().clone()
}

fn actions(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["action"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn s1_w4_s0_02_every_event_names_its_organization_and_is_found_by_each_of_its_facts() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        let (a, b) = (house.organization("org-a").await, house.organization("org-b").await);
        for (organization, name) in [("org-a", "First"), ("org-b", "Other"), ("org-a", "Second")] {
            house.turn_clock(60);
            let path = format!("/organizations/{organization}");
            assert_eq!(operator.patch(&path, json!({"name": name})).await.status, 200);
        }
        house.turn_clock(60);
        let key = Api::key(&house, "org-a", &["audit:read"]).await;
        assert_eq!(key.get("/organizations/org-a").await.status, 403, "which is recorded, too");

        let own = listed(&key, "action=organization.updated").await;
        let names: Vec<_> = own.iter().map(|event| event["after"]["display_name"].clone()).collect();
        assert_eq!(names, ["Second", "First"], "newest first, and none of another organization's");
        assert_eq!(own[0]["before"]["display_name"], "First");
        let event = &own[0];
        let text = |name: &str| event[name].as_str().unwrap().to_owned();
        assert_eq!((text("organization_id"), text("subject")), (a.clone(), a.clone()));
        for query in [
            format!("actor={}", text("actor")),
            format!("subject={a}&action=organization.*&outcome=changed"),
            format!("request_id={}", text("request_id")),
            format!("from={}&outcome=changed", text("at")),
            format!("organization_id={a}&action=organization.*&outcome=changed"),
            "organization_id=org-a&action=organization.updated".into(),
        ] {
            let found = listed(&key, &query).await;
            assert_eq!(found.first(), Some(event), "{query}");
            assert!(found.iter().all(|event| event["organization_id"] == json!(a)), "{query}");
        }
        let before = listed(&key, &format!("to={}&action=organization.updated", text("at"))).await;
        assert_eq!(before.len(), 1, "the moment itself is not before it");
        let refused = listed(&key, "outcome=refused").await;
        assert_eq!((refused[0]["reason"].as_str(), refused.len()), (Some("permission_missing"), 1));
        for nothing in
            ["action=organization", "action=organization.updated.*", "actor=nobody", "subject=x%20y"]
        {
            assert_eq!(listed(&key, nothing).await, Vec::<Value>::new(), "{nothing}");
        }

        // The operator sees all of the project, and what is no organization's.
        let all = listed(&operator, "action=organization.updated").await;
        let of: Vec<_> =
            all.iter().map(|event| event["organization_id"].as_str().unwrap().to_owned()).collect();
        assert_eq!(of, [a.clone(), b.clone(), a.clone()]);
        assert!(listed(&operator, "limit=200").await.iter().any(|event| event["organization_id"].is_null()));
        for foreign in
            [format!("organization_id={b}"), "organization_id=org_00000000000000000000000007".into()]
        {
            assert_eq!(key.get(&format!("/audit-events?{foreign}")).await.status, 404);
        }
    }
}

#[tokio::test]
async fn s0_02_what_every_sign_in_writes_is_found_by_its_action_too() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = House::on(engine).await;
        let (rp1, mut ann) = (Application::rp1(&house), Person::new("ann@a.test"));
        let ask = rp1.asks();
        ask.redeems(&ann.follows(&ask).await).await;
        let operator = Api::operator(&house).await;
        let key = Api::key(&house, "org-a", &["audit:read"]).await;
        for action in ["login.authenticated", "login.code_issued", "token.issued"] {
            let found = listed(&key, &format!("action={action}")).await;
            assert_eq!(actions(&found), [action]);
            let of = format!("organization_id=org-a&action={action}");
            assert_eq!(actions(&listed(&operator, &of).await), [action]);
            assert_eq!(listed(&operator, &format!("{of}&outcome=refused")).await, Vec::<Value>::new());
        }
    }
}

#[tokio::test]
async fn s1_a5_what_is_asked_wrongly_is_named_and_the_list_goes_on_where_it_was() {
    let house = House::opens().await;
    let operator = Api::operator(&house).await;
    for number in 0..5 {
        operator.patch("/organizations/org-a", json!({"name": format!("Name {number}")})).await;
    }
    let path = "/audit-events?organization_id=org-a&action=organization.*&limit=2";
    let mut seen = Vec::new();
    let mut next = operator.get(path).await.json();
    let first = next["next_cursor"].as_str().unwrap().to_owned();
    loop {
        seen.extend(next["items"].as_array().unwrap().iter().map(|event| event["id"].to_string()));
        operator.patch("/organizations/org-a", json!({"name": format!("Name {}", seen.len() + 10)})).await;
        let Some(cursor) = next["next_cursor"].as_str() else { break };
        next = operator.get(&format!("{path}&cursor={cursor}")).await.json();
    }
    let many = seen.len();
    seen.dedup();
    assert_eq!(seen.len(), many, "nothing comes twice");
    let other = operator.get(&format!("/audit-events?organization_id=org-b&cursor={first}")).await;
    assert_eq!((other.status.as_u16(), &other.json()["code"]), (400, &json!("cursor_invalid")));
    for wrong in [
        "action=",
        "action=*",
        "action=Organization.updated",
        "action=organization.",
        "action=a*",
        "outcome=none",
        "from=yesterday",
        "to=1",
        "request_id=x",
        "actor=a%0Ab",
        "subject=%00",
        "limit=0",
        "limit=201",
        "what=1",
    ] {
        let refused = operator.get(&format!("/audit-events?{wrong}")).await;
        assert_eq!(refused.status, 400, "{wrong}: {}", refused.body);
        let name = wrong.split('=').next().unwrap();
        let named = refused.json()["errors"][0]["parameter"].as_str().map(str::to_owned);
        assert!(named.as_deref() == Some(name) || name == "limit", "{wrong}: {}", refused.body);
    }
}

/// Puts many events of `org-a` at once into the trail.
async fn plant(house: &House, many: u32) {
    let project = "(SELECT id FROM projects WHERE slug = 'default')";
    let organization = "(SELECT id FROM organizations WHERE slug = 'org-a')";
    let sql = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {many})
         INSERT INTO audit_events (id, project_id, organization_id, at, actor, actor_kind, action, subject, outcome, detail)
         SELECT 'evt_000000000000000000' || CAST(10000000 + i AS TEXT), {project}, {organization}, i, 'house', 'house',
                CASE WHEN i = 7 THEN 'rare.found' ELSE 'often.done' END, 'x', 'granted', '{{}}' FROM n"
    );
    assert_eq!(house.execute(&sql).await, u64::from(many));
}

#[tokio::test]
async fn s1_w4_no_filter_looks_at_more_than_a_bounded_part_of_a_long_trail() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = House::on(engine).await;
        plant(&house, 12_000).await;
        let operator = Api::operator(&house).await;
        // By an index of its own, at once; by a prefix, 5,000 events at a time.
        let found = operator.get("/audit-events?organization_id=org-a&action=rare.found").await.json();
        assert_eq!(actions(found["items"].as_array().unwrap()), ["rare.found"]);
        let (mut pages, mut cursor, mut found) = (0, String::new(), Vec::new());
        loop {
            let page = operator
                .get(&format!("/audit-events?organization_id=org-a&action=rare.*{cursor}"))
                .await
                .json();
            pages += 1;
            found.extend(page["items"].as_array().unwrap().clone());
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!((pages, actions(&found)), (3, vec!["rare.found"]));
    }
}

fn behalf(house: &House, arguments: &[&str]) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_behalf"))
        .current_dir(std::env::temp_dir())
        .env_clear()
        .env("BEHALF_DATABASE_URL", &house.broker.config.database.url)
        .env("BEHALF_MASTER_KEY", "5a".repeat(32))
        .args(arguments)
        .output();
    output.unwrap()
}

/// What `behalf audit verify` says, and whether all is well.
fn verifies(house: &House, arguments: &[&str]) -> (bool, String) {
    let output = behalf(house, &[&["audit", "verify"], arguments].concat());
    let text =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    (output.status.success(), text)
}

/// Some changes of `org-a` that are sealed, and signed.
async fn sealed(engine: Engine) -> House {
    let house = House::on(engine).await;
    let operator = Api::operator(&house).await;
    for number in 0..6 {
        house.turn_clock(1);
        let name = format!("Name {number} \"x\" \\ é");
        assert_eq!(operator.patch("/organizations/org-a", json!({"name": name})).await.status, 200);
    }
    house.turn_clock(120);
    chores::seal(&house.broker).await.unwrap();
    chores::look_over(&house.broker).await.unwrap();
    house
}

async fn keys(house: &House) -> String {
    Visitor::arrives().get(&format!("{}/api/v1/audit-checkpoints/keys", house.url)).await.body
}

#[tokio::test]
async fn m08_an_export_that_is_changed_anywhere_is_told_by_its_line() {
    let house = sealed(Engine::Sqlite).await;
    let key = Api::key(&house, "org-a", &["audit:read"]).await;
    let export = key.get("/audit-events/export").await;
    assert_eq!(export.header("content-type"), Some("application/x-ndjson"));
    let folder = tempfile::tempdir().unwrap();
    let (file, jwks, kept) =
        (folder.path().join("export.jsonl"), folder.path().join("keys.json"), folder.path().join("kept"));
    std::fs::write(&jwks, keys(&house).await).unwrap();
    let (path, jwks) = (file.to_str().unwrap(), jwks.to_str().unwrap());
    let with_keys = |text: &str| {
        std::fs::write(&file, text).unwrap();
        verifies(&house, &[path, "--jwks", jwks])
    };
    let (fine, told) = with_keys(&export.body);
    assert!(fine && told.contains("agrees with the checkpoint"), "{told}");
    assert!(!verifies(&house, &[path]).0, "nobody believes signatures that nobody verified");
    assert!(verifies(&house, &[path, "--without-signatures"]).0);

    let lines: Vec<_> = export.body.lines().collect();
    let edited = |edit: &dyn Fn(&mut Vec<String>)| {
        let mut lines: Vec<_> = lines.iter().map(|line| (*line).to_owned()).collect();
        edit(&mut lines);
        let (fine, told) = with_keys(&(lines.join("\n") + "\n"));
        assert!(!fine, "{told}");
        told
    };
    let at = lines.iter().position(|line| line.contains("Name 3")).unwrap();
    let place = serde_json::from_str::<Value>(lines[at]).unwrap()["place"].as_i64().unwrap();
    let told = edited(&|lines| lines[at] = lines[at].replacen("Name 3", "Name 4", 1));
    assert!(told.contains(&format!("line {}: place {place} was changed", at + 1)), "{told}");
    let told = edited(&|lines| drop(lines.remove(at)));
    assert!(told.contains(&format!("line {}: place {place} is missing here", at + 1)), "{told}");
    let told = edited(&|lines| lines.swap(at, at + 1));
    assert!(told.contains(&format!("line {}: place {place} is missing here", at + 1)), "{told}");
    let twice = edited(&|lines| lines[at] = lines[at].replacen("{\"place\"", "{\"place\":1,\"place\"", 1));
    assert!(twice.contains(&format!("line {}: is no line", at + 1)), "{twice}");
    // Cut off at the end, it contradicts the checkpoint.
    let last = lines.len() - 2;
    let told = edited(&|lines| drop(lines.remove(last)));
    assert!(told.contains("a checkpoint knows place"), "{told}");

    // In pages it is the same export; one page alone is not.
    let mut pages = String::new();
    let mut cursor = String::new();
    loop {
        let page = key.get(&format!("/audit-events/export?limit=3{cursor}")).await.body;
        let last: Value = serde_json::from_str(page.lines().last().unwrap()).unwrap();
        if pages.is_empty() {
            assert!(with_keys(&page).1.contains("the export goes on"));
        }
        pages += &page;
        let Some(next) = last["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert!(with_keys(&pages).0);

    // A checkpoint that was kept is held against it; another organization's does not fit.
    let operator = Api::operator(&house).await;
    let checkpoint =
        key.get("/audit-checkpoints").await.json()["items"][0]["jws"].as_str().unwrap().to_owned();
    std::fs::write(&file, &export.body).unwrap();
    let held = |jws: &str| {
        std::fs::write(&kept, jws).unwrap();
        verifies(&house, &[path, "--jwks", jwks, "--checkpoint", kept.to_str().unwrap()])
    };
    assert!(held(&checkpoint).0);
    let others = operator.get("/audit-checkpoints?organization_id=org-b").await.json();
    let (fine, told) = held(others["items"][0]["jws"].as_str().unwrap());
    assert!(!fine && told.contains("another chain"), "{told}");
    assert!(held("e30.e30.e30").1.contains("not genuine"));
}

#[tokio::test]
async fn m08_what_a_superuser_of_the_database_changes_is_named() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = sealed(engine).await;
        let (fine, told) = verifies(&house, &[]);
        assert!(fine, "{told}");
        let a = house.organization("org-a").await;
        let at = |place: i64| {
            format!("(SELECT event_id FROM audit_links WHERE chain = '{a}' AND place = {place})")
        };
        let (third, fourth) = (at(3), at(4));
        let says = |place: &str| format!("{a}: {place}");
        for (tamper, undo, told) in [
            (
                format!("UPDATE audit_events SET actor = 'house' || actor WHERE id = {third}"),
                format!("UPDATE audit_events SET actor = SUBSTR(actor, 6) WHERE id = {third}"),
                says("place 3 was changed"),
            ),
            (
                format!("UPDATE audit_events SET detail = '[' || detail || ',1]' WHERE id = {third}"),
                format!(
                    "UPDATE audit_events SET detail = SUBSTR(detail, 2, LENGTH(detail) - 4) WHERE id = {third}"
                ),
                says("place 3 was changed"),
            ),
            (
                format!("UPDATE audit_events SET detail = 'x' || detail WHERE id = {third}"),
                format!("UPDATE audit_events SET detail = SUBSTR(detail, 2) WHERE id = {third}"),
                says("place 3 was changed"),
            ),
            (
                format!("UPDATE audit_events SET at = at + 1 WHERE id = {third}"),
                format!("UPDATE audit_events SET at = at - 1 WHERE id = {third}"),
                says("place 3 was changed"),
            ),
            (
                format!("UPDATE audit_events SET id = 'x' || id WHERE id = {third}"),
                "UPDATE audit_events SET id = SUBSTR(id, 2) WHERE SUBSTR(id, 1, 1) = 'x'".into(),
                says("the event of place 3 is gone"),
            ),
            (
                format!("UPDATE audit_links SET chain = 'x' WHERE event_id = {third}"),
                format!("UPDATE audit_links SET chain = '{a}' WHERE chain = 'x'"),
                says("place 3 is missing"),
            ),
            (
                format!(
                    "UPDATE audit_links SET event_id = {fourth} || 'x' WHERE chain = '{a}' AND place = 3"
                ),
                String::new(),
                says("the event of place 3 is gone"),
            ),
        ] {
            assert_eq!(house.as_superuser(&tamper).await, 1, "{tamper}");
            let (fine, said) = verifies(&house, &[]);
            assert!(!fine && said.contains(&told), "{tamper}: {said}");
            if !undo.is_empty() {
                assert_eq!(house.as_superuser(&undo).await, 1, "{undo}");
                let (fine, said) = verifies(&house, &[]);
                assert!(fine, "{undo}: {said}");
            }
        }
    }
}

#[tokio::test]
async fn m08_who_makes_the_chain_anew_contradicts_what_was_signed() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = sealed(engine).await;
        let a = house.organization("org-a").await;
        // The last events go with their links, and the head goes back: all hashes fit.
        let last = format!("(SELECT MAX(place) FROM audit_links WHERE chain = '{a}')");
        let event = format!("(SELECT event_id FROM audit_links WHERE chain = '{a}' AND place = {last})");
        house.as_superuser(&format!("DELETE FROM audit_events WHERE id = {event}")).await;
        house.as_superuser(&format!("DELETE FROM audit_links WHERE chain = '{a}' AND place = {last}")).await;
        let head = format!("(SELECT hash FROM audit_links WHERE chain = '{a}' AND place = {last})");
        house
            .as_superuser(&format!(
                "UPDATE audit_chains SET place = {last}, hash = {head} WHERE chain = '{a}'"
            ))
            .await;
        let (fine, told) = verifies(&house, &["--organization", &a]);
        assert!(!fine && told.contains("a checkpoint knows place"), "{told}");
        // And where the signed ones go too, who kept one still knows.
        let kept =
            house.text(&format!("SELECT jws FROM audit_checkpoints WHERE chain = '{a}'")).await.unwrap();
        house.as_superuser("DELETE FROM audit_checkpoints").await;
        let (fine, told) = verifies(&house, &["--organization", &a]);
        assert!(!fine && told.contains("the checkpoint at place"), "{told}");
        house.as_superuser("UPDATE audit_chains SET checkpoint_place = 0").await;
        assert!(verifies(&house, &["--organization", &a]).0, "nothing is left to tell");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("kept");
        std::fs::write(&file, kept).unwrap();
        let (fine, told) = verifies(&house, &["--checkpoint", file.to_str().unwrap()]);
        assert!(!fine && told.contains("a checkpoint knows place"), "{told}");
    }
}

#[tokio::test]
async fn m08_two_nodes_seal_at_once_and_what_comes_late_is_sealed_and_told() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = House::on(engine).await;
        plant(&house, 1_200).await;
        // On SQLite there is one server.
        let other = match engine {
            Engine::Sqlite => house.broker.clone(),
            Engine::Postgres => house.second_node().await.broker.clone(),
        };
        house.turn_clock(120);
        let (one, two) = tokio::join!(chores::seal(&house.broker), chores::seal(&other));
        one.unwrap();
        two.unwrap();
        let events = house.count("audit_events").await;
        assert_eq!(house.count("audit_links").await, events, "each once");
        assert!(verifies(&house, &[]).0);
        // One that was written with an earlier moment, after that was sealed.
        let copy = "INSERT INTO audit_events (id, project_id, organization_id, at, actor, actor_kind, action, outcome, detail)
                    SELECT 'evt_00000000000000000000000007', o.project_id, o.id, s.sealed_at - 1, 'house', 'house', 'x',
                           'changed', '{}'
                    FROM audit_seals s JOIN organizations o ON o.project_id = s.id AND o.slug = 'org-a'";
        assert_eq!(house.execute(copy).await, 1);
        chores::seal(&house.broker).await.unwrap();
        let (fine, told) = verifies(&house, &[]);
        // The house looks the trail over by itself when it opens, and may come to it first.
        let is_told = !fine && told.contains("evt_00000000000000000000000007");
        assert!(is_told || house.events_of("audit.sealed_late").await == 1, "{told}");
        chores::look_over(&house.broker).await.unwrap();
        assert!(verifies(&house, &[]).0);
        assert_eq!(house.events_of("audit.sealed_late").await, 1);
        chores::look_over(&house.broker).await.unwrap();
        assert_eq!(house.events_of("audit.sealed_late").await, 1);
    }
}

#[tokio::test]
async fn m08_checkpoints_are_signed_once_a_day_and_only_of_what_grew() {
    let house = sealed(Engine::Sqlite).await;
    let key = Api::key(&house, "org-a", &["audit:read"]).await;
    let many = async || key.get("/audit-checkpoints").await.json()["items"].as_array().unwrap().len();
    assert_eq!(many().await, 1);
    let operator = Api::operator(&house).await;
    operator.patch("/organizations/org-a", json!({"name": "Another"})).await;
    house.turn_clock(3_600);
    chores::seal(&house.broker).await.unwrap();
    chores::look_over(&house.broker).await.unwrap();
    assert_eq!(many().await, 1, "not yet");
    house.turn_clock(23 * 3_600);
    chores::look_over(&house.broker).await.unwrap();
    assert_eq!(many().await, 2);
    house.turn_clock(24 * 3_600);
    chores::look_over(&house.broker).await.unwrap();
    assert_eq!(many().await, 2, "nothing was added");
    // After the keys have changed, the old ones are still verified.
    let project = projects::by_slug(&mut &house.broker.db, "default").await.unwrap().unwrap();
    house.broker.keyring.rotate(project.id, None, true).await.unwrap();
    assert!(verifies(&house, &[]).0);
}

#[tokio::test]
async fn m08_what_is_gone_as_a_whole_is_missed() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = sealed(engine).await;
        let a = house.organization("org-a").await;
        let (fine, told) = verifies(&house, &[]);
        assert!(fine && told.contains("kept elsewhere"), "what cannot be known is said: {told}");
        // All that the trail has of one organization.
        for table in ["audit_links", "audit_chains", "audit_checkpoints"] {
            assert!(
                house.as_superuser(&format!("DELETE FROM {table} WHERE chain = '{a}'")).await > 0,
                "{table}"
            );
        }
        house.as_superuser(&format!("DELETE FROM audit_events WHERE organization_id = '{a}'")).await;
        for arguments in [&[][..], &["--organization", &a]] {
            let (fine, told) = verifies(&house, arguments);
            assert!(!fine && told.contains(&format!("{a}: its beginning is gone")), "{told}");
        }
        let b = house.organization("org-b").await;
        assert!(verifies(&house, &["--organization", &b]).0);
        // And all that it has of anybody.
        for table in ["audit_links", "audit_chains", "audit_checkpoints", "audit_seals", "audit_events"] {
            house.as_superuser(&format!("DELETE FROM {table}")).await;
        }
        let (fine, told) = verifies(&house, &[]);
        assert!(!fine && told.contains(&format!("{b}: its beginning is gone")), "{told}");
    }
}

/// An export, page after page, with the numbers of lines between which `between` was called.
async fn exported(api: &Api, limit: u32, between: impl AsyncFn(usize)) -> String {
    let (mut pages, mut cursor, mut number) = (String::new(), String::new(), 0);
    loop {
        let page = api.get(&format!("/audit-events/export?limit={limit}{cursor}")).await;
        assert_eq!(page.status, 200, "{}", page.body);
        // Between where it begins and how it goes on.
        assert!(page.body.lines().count() <= limit as usize + 2, "{}", page.body.lines().count());
        pages += &page.body;
        let last: Value = serde_json::from_str(page.body.lines().last().unwrap()).unwrap();
        let Some(next) = last["next_cursor"].as_str() else { return pages };
        cursor = format!("&cursor={next}");
        number += 1;
        between(number).await;
    }
}

#[tokio::test]
async fn m08_an_export_holds_each_event_that_is_not_sealed_yet_once_and_in_order() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = sealed(engine).await;
        let key = Api::key(&house, "org-a", &["audit:read"]).await;
        let links = house.count("audit_links").await;
        plant(&house, 2_500).await;
        // Now, and one of them as if it had come late.
        let now = house.broker.now().millis();
        let late = house.text("SELECT CAST(sealed_at - 5 AS TEXT) FROM audit_seals").await.unwrap();
        let moved = format!(
            "UPDATE audit_events SET at = CASE WHEN at = 1 THEN {late} ELSE {now} + at END WHERE action IN ('often.done', 'rare.found')"
        );
        assert_eq!(house.as_superuser(&moved).await, 2_500);
        let expected = "SELECT COUNT(*) FROM audit_events WHERE organization_id = (SELECT id FROM organizations WHERE slug = 'org-a')";
        let many = house.text(&expected.replace("COUNT(*)", "CAST(COUNT(*) AS TEXT)")).await.unwrap();
        for (limit, seals) in [(1_000, false), (700, true)] {
            let pages = exported(&key, limit, async |number| {
                // What is sealed between two pages is neither missed nor told twice.
                if seals && number == 2 {
                    house.turn_clock(120);
                    chores::seal(&house.broker).await.unwrap();
                    assert!(house.count("audit_links").await > links + 2_000);
                }
            })
            .await;
            let lines: Vec<Value> = pages.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            let events: Vec<_> = lines.iter().filter(|line| line["event"].is_object()).collect();
            assert_eq!(events.len().to_string(), many);
            let places = |line: &&&Value| line["place"].is_null();
            let unsealed: Vec<_> = events.iter().filter(places).collect();
            assert_eq!(unsealed.len(), 2_500, "{engine:?}");
            let order: Vec<_> = unsealed
                .iter()
                .map(|line| (line["event"]["at"].to_string(), line["event"]["id"].to_string()))
                .collect();
            assert!(order.is_sorted(), "oldest first");
            let mut ids: Vec<_> = events.iter().map(|line| line["event"]["id"].to_string()).collect();
            ids.sort();
            ids.dedup();
            assert_eq!(ids.len(), events.len(), "each once");
            let folder = tempfile::tempdir().unwrap();
            let (file, jwks) = (folder.path().join("export.jsonl"), folder.path().join("keys.json"));
            std::fs::write(&jwks, keys(&house).await).unwrap();
            std::fs::write(&file, &pages).unwrap();
            let (fine, told) = verifies(&house, &[file.to_str().unwrap(), "--jwks", jwks.to_str().unwrap()]);
            assert!(fine && told.contains("2500 not sealed yet"), "{told}");
        }
        // One page of it says that it is not all.
        let first = key.get("/audit-events/export").await;
        assert!(first.body.lines().last().unwrap().contains("next_cursor"));
    }
}

#[tokio::test]
async fn s2_39_what_is_exported_is_a_file_with_a_name() {
    let house = House::opens().await;
    let operator = Api::operator(&house).await;
    for (path, name) in [
        ("/audit-events/export?organization_id=org-a", "audit-org-a-2026-06-01.jsonl"),
        ("/audit-events/export", "audit-default-2026-06-01.jsonl"),
        ("/organizations/org-a/members/export", "members-org-a-2026-06-01.csv"),
        ("/organizations/org-a/access-review/export", "access-org-a-2026-06-01.csv"),
    ] {
        let export = operator.get(path).await;
        assert_eq!(export.header("content-disposition"), Some(&*format!("attachment; filename=\"{name}\"")));
    }
    assert_eq!(operator.get("/organizations/org-a").await.header("content-disposition"), None);
}

#[tokio::test]
async fn s0_27_who_supports_people_reads_and_exports_no_trail_and_an_auditor_does() {
    let house = House::opens().await;
    Api::person(&house, "con@a.test", "org-a").await;
    let history = format!("/organizations/org-a/members/{}/history", house.user("con@a.test").await);
    let (auditor, support) =
        (Api::by(&house, OperatorRole::Auditor).await, Api::by(&house, OperatorRole::Support).await);
    for path in ["/audit-events", "/audit-events/export", "/audit-checkpoints", &*history] {
        assert_eq!(auditor.get(path).await.status, 200, "{path}");
        let before = house.before().await;
        assert_eq!(support.get(path).await.json()["code"], json!("permission_missing"), "{path}");
        house.refused(&before, "permission_missing").await;
    }
}

#[tokio::test]
async fn m08_an_export_of_nothing_proves_nothing() {
    let house = sealed(Engine::Sqlite).await;
    let key = Api::key(&house, "org-a", &["audit:read"]).await;
    let export = key.get("/audit-events/export").await.body;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("export.jsonl");
    std::fs::write(&file, format!("{}\n", export.lines().next().unwrap())).unwrap();
    let (fine, told) = verifies(&house, &[file.to_str().unwrap(), "--without-signatures"]);
    assert!(!fine && told.contains("this proves nothing"), "{told}");
}

#[tokio::test]
async fn s1_w4_h03_the_operator_reads_the_trail_of_what_is_deleted_and_of_what_is_purged() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = sealed(engine).await;
        let operator = Api::operator(&house).await;
        let auditor = Api::by(&house, OperatorRole::Auditor).await;
        let other = Api::key(&house, "org-b", &["audit:read"]).await;
        let a = house.organization("org-a").await;
        let gone = operator.send(Method::DELETE, "/organizations/org-a?confirm=org-a", |ask| ask).await;
        assert_eq!(gone.status, 202, "{}", gone.body);
        for round in ["deleted", "purged"] {
            for name in ["org-a", &a] {
                for api in [&operator, &auditor] {
                    let found =
                        listed(api, &format!("organization_id={name}&action=organization.deleted")).await;
                    assert_eq!(found.len(), 1, "{round}: {name}");
                    let export = api.get(&format!("/audit-events/export?organization_id={name}")).await;
                    assert!(export.body.contains("Name 5"), "{round}: {}", export.body);
                    let signed = api.get(&format!("/audit-checkpoints?organization_id={name}")).await;
                    assert!(!signed.json()["items"].as_array().unwrap().is_empty(), "{round}");
                }
                let hidden = other.get(&format!("/audit-events?organization_id={name}")).await;
                assert_eq!(hidden.status, 404, "{round}: to others there is nothing");
            }
            assert_eq!(operator.get(&format!("/organizations/{a}")).await.status, 404, "{round}");
            house.turn_clock(31 * 86_400);
            purge::run(&house.broker).await.unwrap();
        }
    }
}
