//! What an operator writes down is done by the operations of the API: by the same rules, with the same events, and with the
//! same consequences.

use behalf::manage::house_file::{HouseFile, Mode, apply};
use behalf::params;
use reqwest::Method;
use serde_json::{Value, json};

use crate::house::answers::fine;
use crate::house::api::Api;
use crate::house::application::{Application, Person};
use crate::house::broker::{DEFAULT, Engine, House, Plan};

const ENGINES: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];

/// What a file is refused for, each with its line; nothing was stored.
async fn refused(house: &House, file: &str) -> Vec<String> {
    let before = house.before().await;
    let told = house.tries(file).await.expect_err("a file that is to be refused");
    house.unchanged(&before).await;
    assert_eq!(house.events_since(&before).await.len(), 0);
    told.lines().map(str::to_owned).collect()
}

/// The line of a file that holds a text.
fn line(file: &str, text: &str) -> String {
    format!("{}:", file.lines().position(|line| line.contains(text)).unwrap() + 1)
}

async fn column(house: &House, sql: &str) -> Vec<String> {
    let sql = Box::leak(sql.to_owned().into_boxed_str());
    let rows = house.broker.db.all(sql, params![]).await.unwrap();
    rows.iter().map(|row| row.get(0).unwrap()).collect()
}

/// What the trail says that happened to an organization, in no order.
async fn trail(house: &House, organization: &str) -> Vec<String> {
    let sql = format!(
        "SELECT action || ' ' || actor_kind || ' ' || COALESCE(before, '-') || ' ' || COALESCE(after, '-')
         FROM audit_events WHERE organization_id = '{}'",
        house.organization(organization).await
    );
    let slug = format!("\"slug\":\"{organization}\"");
    let told = column(house, &sql).await;
    let mut told: Vec<_> = told.iter().map(|line| line.replace(&slug, "its slug")).collect();
    told.sort();
    told
}

#[tokio::test]
async fn s1_r04_the_trail_tells_the_same_of_a_change_whether_it_came_over_the_api_or_from_the_file() {
    const TWO: &str =
        "\n[organization.one]\ndisplay_name = \"X\"\n[organization.two]\ndisplay_name = \"X\"\n";
    for engine in ENGINES {
        let house = Plan { engine, ..Plan::default() }.and(TWO).build().await;
        let operator = Api::operator(&house).await;
        fine(operator.patch("/organizations/one", json!({"name": "Y", "description": "what it is"})).await);
        let role = json!({"organization_id": "one", "name": "billing", "permissions": ["b:read", "a:read"]});
        let role = fine(operator.post("/roles", role).await);
        let path = format!("/roles/{}", role["id"].as_str().unwrap());
        fine(operator.patch(&path, json!({"permissions": ["a:read"]})).await);
        fine(operator.post("/organizations/one/domains", json!({"domain": "shared.test"})).await);
        let policy = json!({"require_mfa": true, "mfa_required_for": ["billing"], "max_age": 600});
        fine(operator.patch("/organizations/one/policy", policy).await);
        fine(operator.send(Method::POST, "/organizations/one/deactivate", |ask| ask).await);

        let named = TWO.replacen("two]\ndisplay_name = \"X\"", "two]\ndisplay_name = \"Y\"", 1);
        let file = |permissions: &str| {
            format!(
                "{DEFAULT}{named}description = \"what it is\"\nactive = false\n\
                 [organization.two.policy]\nrequire_mfa = true\nmfa_required_for = [\"billing\"]\nmax_age = 600\n\
                 [role.billing]\norganization = \"two\"\npermissions = [{permissions}]\n\
                 [[domain]]\nname = \"shared.test\"\norganization = \"two\"\n"
            )
            .replacen("[organization.one]\ndisplay_name = \"X\"\n", "", 1)
        };
        house.provision(&file("\"b:read\", \"a:read\"")).await;
        house.provision(&file("\"a:read\"")).await;
        let (one, two) = (trail(&house, "one").await, trail(&house, "two").await);
        assert_eq!(one, two, "{engine:?}");
        for action in [
            "organization.created operator - {",
            "organization.updated operator {",
            "organization.policy_changed operator {",
            "organization.deactivated operator {",
            "organization.domain.claimed operator - {",
            "role.created operator - {",
            "role.updated operator {",
        ] {
            let count = two.iter().filter(|told| told.starts_with(action)).count();
            assert_eq!(count, 1, "{action}: {two:#?}");
        }
        // And of what is so already, nothing.
        let before = house.before().await;
        house.provision(&file("\"a:read\"")).await;
        house.unchanged(&before).await;
        assert_eq!(house.events_since(&before).await.len(), 0);
    }
}

#[tokio::test]
async fn h26_s2_34_what_may_be_said_of_an_organization_is_one_rule() {
    let house = House::opens().await;
    for (key, value) in [
        ("display_name", "a\u{202e}b".to_owned()),
        ("display_name", "x".repeat(201)),
        ("description", "x".repeat(1_001)),
        ("description", "a\u{200b}b".to_owned()),
        ("logo_uri", "http://127.0.0.1/logo.png".to_owned()),
        ("logo_uri", format!("https://a.test/{}", "x".repeat(2_048))),
    ] {
        let file = format!("{DEFAULT}\n[organization.new]\n{key} = \"{value}\"\n");
        let told = refused(&house, &file).await;
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with(&line(&file, &format!("{key} = \"{}", &value[..1]))), "{told:?}");
    }
    // Nor do names of other things hide what they say.
    for (old, new) in
        [("A Login", "A\u{202e} Login"), ("First App", "First\u{200b} App"), ("Acme", "\u{2066}Acme")]
    {
        let file = DEFAULT.replacen(old, new, 1);
        assert!(refused(&house, &file).await[0].starts_with(&line(&file, new)));
    }
    for (policy, rule) in [("max_age = 59", "60 to 31536000"), ("max_age = 31536001", "60 to 31536000")] {
        let file = format!("{DEFAULT}\n[organization.new.policy]\n{policy}\n");
        let told = refused(&house, &file).await;
        assert!(told[0].starts_with(&line(&file, policy)) && told[0].contains(rule), "{told:?}");
    }
}

#[tokio::test]
async fn s1_t1_a_file_enforces_nothing_before_it_is_ready_unless_it_says_so() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let enforced = format!("{DEFAULT}\n[organization.org-a.policy]\nenforcement = \"required\"\n");
        let told = refused(&house, &enforced).await;
        assert!(!told.is_empty());
        for fault in &told {
            assert!(fault.starts_with(&line(&enforced, "enforcement = ")), "{told:?}");
        }
        let forced = format!("{enforced}force = true\n");
        house.provision(&forced).await;
        let missing =
            house.text("SELECT detail FROM audit_events WHERE action = 'organization.policy_changed'");
        let detail: Value = serde_json::from_str(&missing.await.unwrap()).unwrap();
        let missing: Vec<_> = detail["forced_without"].as_array().unwrap().iter().collect();
        assert_eq!(missing.len(), told.len(), "{missing:?} {told:?}");

        // From here on, what leads members in is not switched off by accident.
        let routes = "connections = [\"ca\"]\nuse_for_routing = true";
        for other in ["connections = [\"ca\"]\nuse_for_routing = false", "connections = []"] {
            let file = forced.replacen(routes, other, 1);
            let told = refused(&house, &file).await;
            assert!(told[0].starts_with(&line(&file, "name = \"a.test\"")), "{told:?}");
            assert!(told[0].contains("members must come through"), "{told:?}");
        }
        let file = forced.replacen("state = \"active\"", "state = \"disabled\"", 1);
        assert!(refused(&house, &file).await[0].contains("members must come through"));
        // Unless nothing is enforced any more, which a file says that means it.
        let silent = DEFAULT.replacen("state = \"active\"", "state = \"disabled\"", 1);
        assert!(refused(&house, &silent).await[0].contains("members must come through"));
        let off = enforced.replacen("\"required\"", "\"off\"", 1);
        house.provision(&off.replacen("state = \"active\"", "state = \"disabled\"", 1)).await;
        assert_eq!(house.count("connections").await, 2);
    }
}

#[tokio::test]
async fn what_a_file_says_nothing_of_stays_as_the_organization_or_the_operator_has_decided() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        let ann = Api::person(&house, "ann@a.test", "org-a").await;
        let (policy, c) = ("/organizations/org-a/policy", "/organizations/org-c");
        fine(ann.patch(policy, json!({"delegations": "none", "max_age": 36_000})).await);
        fine(operator.send(Method::POST, &format!("{c}/deactivate"), |ask| ask).await);
        let known = async || {
            let (policy, c) = (fine(operator.get(policy).await), fine(operator.get(c).await));
            (policy["delegations"].clone(), policy["max_age"].clone(), c["deactivated_at"].is_null())
        };
        let decided = (json!("none"), json!(36_000), false);
        assert_eq!(known().await, decided);
        for more in ["", "\n[organization.org-a.policy]\nmember_list = \"names\"\n"] {
            house.provision(&format!("{}{more}", house.file)).await;
            assert_eq!(known().await, decided, "{more}");
        }
        // What it says counts.
        let start = "[organization.org-c]\n";
        let file = house.file.replacen(start, &format!("{start}active = true\n"), 1);
        let more = "\n[organization.org-a.policy]\ndelegations = \"approved\"\nmax_age = 0\n";
        house.provision(&format!("{file}{more}")).await;
        assert_eq!(known().await, (json!("approved"), Value::Null, true));
    }
}

#[tokio::test]
async fn s1_r13_s1_d4_domains_of_a_file_obey_the_rules_of_the_room() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let many = |count: usize| {
            let domain =
                |number| format!("\n[[domain]]\nname = \"d{number}.test\"\norganization = \"org-c\"\n");
            format!("{DEFAULT}{}", (0..count).map(domain).collect::<String>())
        };
        let told = refused(&house, &many(21)).await;
        assert!(told.len() == 1 && told[0].contains("at most 20"), "{told:?}");
        assert!(told[0].starts_with(&line(&many(21), "name = \"d20.test\"")), "{told:?}");

        let nowhere = format!(
            "{DEFAULT}\n[[domain]]\nname = \"c.test\"\norganization = \"org-c\"\nuse_for_routing = true\n"
        );
        assert!(refused(&house, &nowhere).await[0].contains("routing needs a connection"));
        let foreign = format!(
            "{DEFAULT}\n[[domain]]\nname = \"c.test\"\norganization = \"org-c\"\nconnections = [\"ca\"]\n"
        );
        assert!(refused(&house, &foreign).await[0].contains("no such connection"));

        // Who was given up is claimed anew: with another challenge, and with what the file says alone.
        let operator = Api::operator(&house).await;
        let id = house.text("SELECT id FROM domains WHERE name = 'a.test'").await.unwrap();
        let path = format!("/organizations/org-a/domains/{id}");
        let gone = operator.send(Method::DELETE, &path, |ask| ask).await;
        assert_eq!(gone.status, 204);
        house.provision(DEFAULT).await;
        let again = fine(operator.get(&path).await);
        assert_eq!((&again["status"], &again["trust_email"]), (&json!("pending"), &json!(true)));
        assert_eq!(house.events_of("organization.domain.claimed").await, 3);
    }
}

#[tokio::test]
async fn h07_the_next_run_of_a_file_ends_no_pause_of_auto_join() {
    let joins = DEFAULT.replacen("trust_email = true", "trust_email = true\nauto_join = true", 1);
    let house = Plan { file: joins.clone(), ..Plan::default() }.build().await;
    let paused =
        "UPDATE domains SET auto_join = '{\"role\":\"member\",\"paused_at\":1}' WHERE name = 'a.test'";
    assert_eq!(house.execute(paused).await, 1);
    let before = house.before().await;
    house.provision(&joins).await;
    house.unchanged(&before).await;
}

#[tokio::test]
async fn s1_l6_h01_roles_of_a_file_obey_the_rules_of_the_room() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        for (name, permissions, rule) in [
            ("Billing", "\"a:read\"", "a-z"),
            ("billing", "\"organization:delete\"", "an owner's alone"),
            ("billing", "\"a b\"", "visible ASCII"),
        ] {
            let file = format!("{DEFAULT}\n[role.{name}]\npermissions = [{permissions}]\n");
            let told = refused(&house, &file).await;
            assert!(told.len() == 1 && told[0].contains(rule), "{told:?}");
        }
        // What is the project's own is another thing of the same name.
        let own = json!({"scope": "project", "name": "auditing", "permissions": ["a:read"]});
        fine(operator.post("/roles", own).await);
        let file = format!("{DEFAULT}\n[role.auditing]\npermissions = [\"b:read\"]\n");
        assert!(refused(&house, &file).await[0].starts_with(&line(&file, "[role.auditing]")));

        let own = |more: &str| {
            format!(
                "{DEFAULT}\n[organization.org-c.policy]\n{more}\n[role.own]\norganization = \"org-c\"\npermissions = [\"a:read\"]\n"
            )
        };
        house
            .provision(&format!("{DEFAULT}\n[organization.org-c.policy]\ncustom_roles_enabled = false\n"))
            .await;
        assert!(refused(&house, &own("")).await[0].starts_with(&line(&own(""), "[role.own]")));
        house.provision(&own("custom_roles_enabled = true")).await;
    }
}

/// Somebody who has come to a place that the file kept for them.
async fn comes(house: &House, email: &str) {
    let arrival = Person::new(email).follows(&Application::rp1(house).asks()).await;
    assert!(arrival.told_application("code").is_some() || arrival.is_picker(), "{}", arrival.told());
}

#[tokio::test]
async fn h02_ownership_changes_hands_in_a_file_in_whatever_order_it_is_written() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        comes(&house, "ann@a.test").await;
        comes(&house, "con@a.test").await;
        let (ann, con) =
            ("email = \"ann@a.test\", roles = [\"owner\"]", "email = \"con@a.test\", roles = [\"member\"]");
        let nobodys = DEFAULT.replacen(ann, "email = \"ann@a.test\"", 1);
        let told = refused(&house, &nobodys).await;
        assert!(told[0].starts_with(&line(&nobodys, "ann@a.test")), "{told:?}");
        assert!(told[0].contains("without an active owner"), "{told:?}");

        let swapped = DEFAULT.replacen(ann, "email = \"ann@a.test\"", 1).replacen(
            con,
            "email = \"con@a.test\", roles = [\"owner\"], kind = \"guest\"",
            1,
        );
        house.provision(&swapped).await;
        let roles = column(
            &house,
            "SELECT m.roles || m.kind FROM memberships m JOIN users u ON u.id = m.user_id ORDER BY u.email",
        );
        assert_eq!(roles.await, ["[\"member\"]member", "[\"owner\"]guest"]);
        assert_eq!(house.events_of("organization.member.role_changed").await, 2);
        assert_eq!(house.events_of("organization.member.updated").await, 1, "another kind is no other role");
        let before = house.before().await;
        house.provision(&swapped).await;
        house.unchanged(&before).await;

        // Delegates are no members.
        let delegate = DEFAULT.replacen(con, "email = \"con@a.test\", kind = \"delegate\"", 1);
        assert!(refused(&house, &delegate).await[0].contains("must be home, member or guest"));
    }
}

/// Con, acting for B at the first application: an access token, or nothing.
async fn acts(house: &House) -> Option<String> {
    let rp1 = Application::rp1(house);
    let ask = rp1.asks().with("organization", "org-b").with("login_hint", "con@a.test");
    let arrival = Person::new("con@a.test").follows(&ask).await;
    arrival.told_application("code")?;
    Some(ask.redeems(&arrival).await.access_token)
}

#[tokio::test]
async fn s2_21_h05_what_an_organization_has_ended_a_file_does_not_begin_again() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        let id = house.text("SELECT id FROM delegations").await.unwrap();
        let path = format!("/delegations/{id}");
        let token = acts(&house).await.expect("both have approved");
        fine(operator.post(&format!("{path}/pause"), json!({"side": "target"})).await);
        let before = house.before().await;
        house.provision(DEFAULT).await;
        house.unchanged(&before).await;
        assert!(acts(&house).await.is_none(), "the target's own pause is the target's to end");
        fine(operator.post(&format!("{path}/resume"), json!({"side": "target"})).await);
        assert_eq!(Application::rp1(&house).userinfo(&token).await.status, 200);

        // A pause of the operator's is the operator's to end.
        house.provision(&format!("{DEFAULT}paused = true\n")).await;
        assert!(acts(&house).await.is_none());
        let side = operator.post(&format!("{path}/pause"), json!({"side": "home"})).await;
        assert_eq!(side.status, 200);
        fine(operator.post(&format!("{path}/resume"), json!({"side": "home"})).await);
        house.provision(DEFAULT).await;
        assert!(acts(&house).await.is_some());

        // What was revoked is so for good, with all that was issued by it.
        house.provision(&format!("{DEFAULT}revoked = true\n")).await;
        assert_eq!(Application::rp1(&house).userinfo(&token).await.status, 401);
        let alive =
            "SELECT COUNT(*) || '' FROM grants WHERE delegation_id IS NOT NULL AND revoked_at IS NULL";
        assert_eq!(house.text(alive).await.as_deref(), Some("0"));
        let before = house.before().await;
        house.provision(DEFAULT).await;
        house.unchanged(&before).await;
        assert_eq!(house.events_of("delegation.restored").await, 0);
        assert!(acts(&house).await.is_none());
    }
}

#[tokio::test]
async fn s2_21_terms_of_a_file_obey_the_rules_of_the_room() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let other =
            |more: &str| format!("{DEFAULT}\n[[delegation]]\nhome = \"org-b\"\ntarget = \"org-c\"\n{more}\n");
        let many: String = (0..21).map(|number| format!("\"r{number}\",")).collect();
        for (more, key, rule) in [
            ("only = []".to_owned(), "only = []", "1 to 1000"),
            (format!("roles = [{many}]"), "roles = [\"r0", "1 to 20"),
            ("ends_at = 2026-05-31T00:00:00Z".to_owned(), "ends_at", "in the future"),
            ("roles = [\"boss\"]\napproved_by = [\"home\"]".to_owned(), "\"boss\"", "no role boss"),
        ] {
            let file = other(&more);
            let told = refused(&house, &file).await;
            assert!(told.len() == 1 && told[0].contains(rule), "{told:?}");
            assert!(told[0].starts_with(&line(&file, key)), "{told:?}");
        }
        // Other terms are what the file's sides have approved, and no more.
        let changed = DEFAULT.replacen(
            "roles = [\"member\"]\nonly",
            "approved_by = [\"home\"]\nroles = [\"admin\"]\nonly",
            1,
        );
        house.provision(&changed).await;
        let approved =
            "SELECT CASE WHEN target_approved_at IS NULL THEN 'no' ELSE 'yes' END FROM delegations";
        assert_eq!(house.text(approved).await.as_deref(), Some("no"));
        assert_eq!(house.events_of("delegation.updated").await, 2, "one in each trail");
        assert_eq!(house.events_of("delegation.approval_withdrawn").await, 0);
        assert!(acts(&house).await.is_none());
        house.provision(&changed.replacen("approved_by = [\"home\"]\n", "", 1)).await;
        assert_eq!(house.events_of("delegation.approved").await, 4, "once when it began");
        assert!(acts(&house).await.is_some());
    }
}

#[tokio::test]
async fn c02_owners_hear_of_a_connection_that_a_file_has_changed() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let mails = async || {
            column(&house, "SELECT kind || ' ' || recipient FROM mails ORDER BY kind, recipient").await
        };
        assert_eq!(mails().await, [""; 0], "there was no owner yet");
        comes(&house, "ann@a.test").await;
        let changed = DEFAULT.replacen("client_id = \"behalf\"", "client_id = \"other\"", 1);
        let plan = async |text: &str| {
            let text = text.replace("{idp_a}", &house.idp_a.issuer).replace("{idp_b}", &house.idp_b.issuer);
            let secrets = |_: &str| Some("a secret that is long enough for all of them".to_owned());
            let file = HouseFile::parse(&text, std::path::Path::new(""), &secrets).unwrap();
            apply(&house.broker, &file, Mode::Plan).await.unwrap().changes.len()
        };
        assert!(plan(&changed).await > 0);
        assert_eq!(mails().await, [""; 0], "a plan tells nobody");
        house.provision(&changed).await;
        assert_eq!(mails().await, ["connection_activated ann@a.test"]);
        house.provision(&changed).await;
        assert_eq!(mails().await.len(), 1, "nothing changed, nobody is told");
        house.provision(&changed.replacen("A Login", "Another name", 1)).await;
        assert_eq!(mails().await.len(), 1, "a name lets nobody in");
        assert_eq!(house.events_of("organization.connection.renamed").await, 1);

        let off = changed.replacen("A Login", "Another name", 1).replacen("\"active\"", "\"disabled\"", 1);
        house.provision(&off).await;
        assert_eq!(mails().await.len(), 1);
        house.provision(&off.replacen("\"disabled\"", "\"active\"", 1)).await;
        assert_eq!(mails().await.len(), 2, "it lets people in again");

        // What was live before is there to go back to.
        let operator = Api::operator(&house).await;
        let path = format!("/connections/{}", house.connection("ca").await);
        let back = fine(operator.post(&format!("{path}/rollback"), json!({})).await);
        assert_eq!(back["settings"]["client_id"], json!("behalf"));
        assert_eq!(mails().await.len(), 3);
    }
}

#[tokio::test]
async fn h04_what_a_file_says_of_a_connection_that_is_off_is_its_draft() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let off = DEFAULT.replacen("\"active\"", "\"disabled\"", 1);
        house.provision(&off).await;
        let drafted = off.replacen("client_id = \"behalf\"", "client_id = \"other\"", 1);
        house.provision(&drafted).await;
        let operator = Api::operator(&house).await;
        let path = format!("/connections/{}", house.connection("ca").await);
        let view = fine(operator.get(&path).await);
        assert_eq!(view["draft"]["settings"]["client_id"], json!("other"));
        assert_eq!(view["settings"]["client_id"], json!("behalf"));
        let before = house.before().await;
        house.provision(&drafted).await;
        house.unchanged(&before).await;
        house.provision(&drafted.replacen("\"disabled\"", "\"active\"", 1)).await;
        let view = fine(operator.get(&path).await);
        assert_eq!((&view["settings"]["client_id"], &view["draft"]), (&json!("other"), &Value::Null));
    }
}

#[tokio::test]
async fn h01_nobody_comes_as_an_administrator_because_a_file_says_so() {
    let house = House::opens().await;
    for roles in ["owner", "admin", "boss"] {
        let given = format!("jit = \"create_and_join\"\ndefault_roles = [\"{roles}\"]");
        let file = DEFAULT.replacen("jit = \"create_and_join\"", &given, 1);
        let told = refused(&house, &file).await;
        assert!(told.len() == 1 && told[0].starts_with(&line(&file, "default_roles")), "{told:?}");
    }
}
