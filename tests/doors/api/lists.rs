//! Every list of the API goes on by a cursor of its own, and by no other one.

use std::collections::BTreeMap;

use behalf::foundation::id::ConnectionId;
use behalf::manage::api::route::Route;
use behalf::manage::api::routes::ROUTES;
use behalf::manage::authority::Need;
use behalf::model::api_key::{Holder, OperatorRole};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

use super::everyone::Ids;
use crate::house::api::{Api, access_token, plant};
use crate::house::application::{Application, Person};
use crate::house::broker::House;
use crate::house::visitor::{Answer, Visitor};

/// By which each list is asked for so that it has something, and a filter that makes another list of it, if it has any.
const ASKED: [(&str, &str, Option<&str>); 26] = [
    ("list_organizations", "", Some("status=active")),
    ("list_domains", "", None),
    ("list_roles", "organization_id=org-a", Some("organization_id=org-b")),
    ("list_role_rules", "", Some("connection_id={connection_id}")),
    ("list_my_organizations", "", Some("search=a")),
    ("list_my_sessions", "", None),
    ("list_my_applications", "", None),
    ("list_my_consents", "", None),
    ("list_member_sessions", "", None),
    ("list_members", "", Some("status=active")),
    ("list_member_history", "", None),
    ("review_access", "", None),
    ("list_invitations", "", Some("status=pending")),
    ("list_audit_events", "organization_id=org-a", Some("organization_id=org-b")),
    ("export_audit_events", "organization_id=org-a", Some("organization_id=org-b")),
    ("list_audit_checkpoints", "organization_id=org-a", Some("organization_id=org-b")),
    ("list_api_keys", "organization_id=org-a", Some("organization_id=org-b")),
    ("list_delegations", "organization_id=org-a", Some("organization_id=org-a&side=home")),
    ("list_applications", "", Some("organization_id=org-a")),
    ("list_registration_tokens", "", None),
    ("list_connection_failures", "", Some("hours=3")),
    ("list_connection_tests", "", None),
    ("list_connections", "", Some("scope=project")),
    ("list_connection_versions", "", None),
    // The same lists, asked for as the operator's own.
    ("list_audit_events", "", Some("outcome=refused")),
    ("list_api_keys", "", Some("organization_id=org-c")),
];

/// One list, as one caller asks for it.
struct List<'a> {
    route: &'static Route,
    api: &'a Api,
    path: String,
    query: String,
    /// The same with another filter.
    other: Option<String>,
}

impl List<'_> {
    async fn asks(&self, query: &str, cursor: Option<&str>) -> Answer {
        let cursor = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        self.api.get(&format!("{}?limit=1&{query}{cursor}", self.path).replace("&&", "&")).await
    }

    async fn first(&self) -> (Answer, String) {
        let first = self.asks(&self.query, None).await;
        assert_eq!(first.status, 200, "{}: {}", self.route.name, first.body);
        // A file says so in its last line.
        let last = first.body.lines().last().unwrap_or_default();
        let told: Value = serde_json::from_str(last).unwrap();
        let cursor = told["next_cursor"].as_str();
        let cursor = cursor.unwrap_or_else(|| panic!("{} has one page: {}", self.route.name, first.body));
        let cursor = cursor.to_owned();
        (first, cursor)
    }

    async fn refuses(&self, query: &str, cursor: &str, why: &str) {
        let refused = self.asks(query, Some(cursor)).await;
        let code = refused.json()["code"].clone();
        assert_eq!(
            (refused.status.as_u16(), code),
            (400, json!("cursor_invalid")),
            "{} {why}: {}",
            self.route.name,
            refused.body
        );
    }
}

/// The same cursor with other keys.
fn forged(cursor: &str, change: impl FnOnce(&mut Vec<String>)) -> String {
    let plain = BASE64URL_NOPAD.decode(cursor.as_bytes()).unwrap();
    let (version, mark, mut keys): (u8, String, Vec<String>) = serde_json::from_slice(&plain).unwrap();
    change(&mut keys);
    BASE64URL_NOPAD.encode(&serde_json::to_vec(&(version, mark, keys)).unwrap())
}

fn mangled(cursor: &str) -> Vec<(&'static str, String)> {
    let keys = |cursor: &str| -> usize {
        let plain = BASE64URL_NOPAD.decode(cursor.as_bytes()).unwrap();
        let (_, _, keys): (u8, String, Vec<String>) = serde_json::from_slice(&plain).unwrap();
        keys.len()
    };
    let mut all = vec![
        ("nothing", String::new()),
        ("nonsense", "AAAA".into()),
        ("cut", cursor[1..].into()),
        ("torn", cursor[..cursor.len() - 2].into()),
        ("longer", format!("{cursor}AAAA")),
        ("huge", cursor.repeat(10)),
        ("with a key more", forged(cursor, |keys| keys.push("x".into()))),
        ("without keys", forged(cursor, Vec::clear)),
    ];
    for at in 0..keys(cursor) {
        all.push(("with a key of another type", forged(cursor, |keys| keys[at] = "%".into())));
        all.push(("with a key of another kind", forged(cursor, |keys| keys[at] = "zone_1".into())));
    }
    all
}

/// At least two of everything that there is a list of.
async fn furnish(house: &House, ids: &Ids) {
    let operator = Api::operator(house).await;
    let all = ids.all();
    let (a, ca, con) = (&all["organization_id"], &all["connection_id"], &all["user_id"]);
    let project = house.text("SELECT id FROM projects WHERE slug = 'default'").await.unwrap();
    let c = house.organization("org-c").await;
    let made = async |path: &str, body: Value| {
        let answer = operator.post(path, body).await;
        assert_eq!(answer.status, 201, "{path}: {}", answer.body);
    };
    made(&format!("/organizations/{a}/domains"), json!({"domain": "second.test"})).await;
    made("/roles", json!({"organization_id": a, "name": "two", "permissions": []})).await;
    let invitation = json!({"email": "second@c.test", "role": "member", "send": false});
    made(&format!("/organizations/{a}/invitations"), invitation).await;
    for kind in ["guest", "member"] {
        let path = format!("/organizations/{a}/members/{con}");
        let changed = operator.patch(&path, json!({"kind": kind})).await;
        assert_eq!(changed.status, 200, "{}", changed.body);
    }
    let drafted = operator.patch(&format!("/connections/{ca}"), json!({"leeway": 90})).await;
    assert_eq!(drafted.status, 200, "{}", drafted.body);
    let rows = [
        format!(
            "INSERT INTO role_rules (id, project_id, organization_id, connection_id, claim, matching, value, role,
                                     created_at, updated_at)
             VALUES ('rule_00000000000000000000000008', '{project}', '{a}', '{ca}', 'groups', 'contains', 'y', 'one', 1, 1)"
        ),
        format!(
            "INSERT INTO connection_tests (id, project_id, organization_id, connection_id, version, digest, created_by,
                                           created_at, expires_at, claims, facts)
             VALUES ('test_00000000000000000000000008', '{project}', '{a}', '{ca}', 1, x'62', 'operator', 1, 2, '{{}}', '{{}}')"
        ),
        format!(
            "INSERT INTO registration_tokens (id, project_id, name, digest, limits, most_uses, uses, created_by,
                                              created_at, expires_at)
             VALUES ('rgt_00000000000000000000000008', '{project}', 'two', x'62',
                     '{{\"types\":[],\"grant_types\":[],\"scopes\":[]}}', 1, 0, 'operator', 1, 2)"
        ),
        format!(
            "INSERT INTO delegations (id, project_id, home_organization_id, target_organization_id, settings, created_at,
                                      updated_at)
             SELECT 'dlg_00000000000000000000000008', project_id, '{a}', '{c}', settings, 1, 1 FROM delegations"
        ),
        format!(
            "INSERT INTO consents (user_id, application_id, name, told, created_at, updated_at)
             SELECT '{con}', id, display_name, '[]', 1, 1 FROM applications"
        ),
        format!(
            "INSERT INTO audit_checkpoints (project_id, chain, place, jws, created_at)
             VALUES ('{project}', '{a}', 1, 'x', 1), ('{project}', '{a}', 2, 'y', 2)"
        ),
        format!(
            "INSERT INTO audit_events (id, project_id, organization_id, at, actor, actor_kind, action, subject, outcome,
                                       reason, detail)
             VALUES ('evt_00000000000000000000000008', '{project}', '{a}', 1, 'anonymous', 'anonymous', 'login.refused',
                     '{ca}', 'refused', 'x', '{{}}'),
                    ('evt_00000000000000000000000009', '{project}', '{a}', 2, 'anonymous', 'anonymous', 'login.refused',
                     '{ca}', 'refused', 'x', '{{}}')"
        ),
    ];
    for row in rows {
        assert!(house.execute(&row).await > 0, "{row}");
    }
    for _ in 0..2 {
        let holder = Holder::Organization(a.parse().unwrap(), Vec::new());
        plant(house, "default", holder).await;
    }
}

/// Con, in two browsers, by one application for two organizations.
async fn con(house: &House) -> Api {
    access_token(house, "con@a.test", "org-a").await;
    let rp1 = Application::rp1(house);
    let ask = rp1.asks().with("organization", "org-b").with("login_hint", "con@a.test");
    let arrival = Person::new("con@a.test").follows(&ask).await;
    ask.redeems(&arrival).await;
    Api::person(house, "con@a.test", "org-a").await
}

fn lists<'a>(ids: &Ids, operator: &'a Api, con: &'a Api) -> Vec<List<'a>> {
    let fill = |text: &str| text.replace("{connection_id}", &ids.all()["connection_id"]);
    let list = |(name, query, other): &(&str, &str, Option<&str>)| {
        let route = ROUTES.iter().find(|route| route.name == *name);
        let route = route.unwrap_or_else(|| panic!("there is no {name}"));
        let api = if matches!(route.need, Need::Person | Need::Account) { con } else { operator };
        let (path, other) = (ids.in_path(route.path), other.map(fill));
        List { route, api, path, query: fill(query), other }
    };
    ASKED.iter().map(list).collect()
}

#[tokio::test]
async fn s0_32_s0_35_a_cursor_opens_the_list_that_it_was_made_for_and_no_other() {
    let house = House::opens().await;
    Api::person(&house, "ann@a.test", "org-a").await;
    let con = con(&house).await;
    let ids = Ids::of(&house).await;
    furnish(&house, &ids).await;
    let operator = Api::operator(&house).await;
    let lists = lists(&ids, &operator, &con);
    // No list of the document is forgotten, and no filter.
    let document = Visitor::arrives().get(&format!("{}/api/v1/openapi.json", house.url)).await.json();
    for route in ROUTES {
        let operation = &document["paths"][route.path][route.method.as_str().to_lowercase()];
        let named = |parameter: &Value, one: &str| parameter["name"] == json!(one);
        let parameters = operation["parameters"].as_array().unwrap();
        let queries: Vec<_> = parameters.iter().filter(|one| one["in"] == json!("query")).collect();
        if !queries.iter().any(|one| named(one, "cursor")) {
            continue;
        }
        let filters = queries.iter().filter(|one| !named(one, "cursor") && !named(one, "limit")).count();
        let asked = lists.iter().find(|list| list.route.name == route.name);
        let asked = asked.unwrap_or_else(|| panic!("{} is a list", route.name));
        assert_eq!(asked.other.is_some(), filters > 0, "{}", route.name);
    }
    let mut cursors = Vec::new();
    for list in &lists {
        let (first, cursor) = list.first().await;
        let next = list.asks(&list.query, Some(&cursor)).await;
        assert_eq!(next.status, 200, "{}: {}", list.route.name, next.body);
        assert_ne!(next.body, first.body, "{}", list.route.name);
        cursors.push(cursor);
    }
    for (at, list) in lists.iter().enumerate() {
        for (other, cursor) in cursors.iter().enumerate().filter(|(other, _)| *other != at) {
            list.refuses(&list.query, cursor, lists[other].route.name).await;
        }
        for (why, cursor) in mangled(&cursors[at]) {
            list.refuses(&list.query, &cursor, why).await;
        }
        if let Some(other) = &list.other {
            list.refuses(other, &cursors[at], "with another filter").await;
        }
        house.turn_clock(5);
    }
}

#[tokio::test]
async fn s0_32_c22_a_cursor_is_its_organizations_its_projects_and_its_readers_and_each_name_of_them_is_the_same()
 {
    let house = House::opens().await;
    house.provision("[project]\nslug = \"second\"\ndisplay_name = \"Second\"\n").await;
    let token = plant(&house, "second", Holder::Operator(OperatorRole::System)).await;
    let (operator, second) = (Api::operator(&house).await, Api::at(&house, "/p/second", Some(token)).await);
    let ann = Api::person(&house, "ann@a.test", "org-a").await;
    let con = con(&house).await;
    let ids = Ids::of(&house).await;
    furnish(&house, &ids).await;
    let cursor = async |api: &Api, path: &str| {
        let answer = api.get(path).await;
        let found = answer.json()["next_cursor"].as_str().map(str::to_owned);
        found.unwrap_or_else(|| panic!("{path}: {}", answer.body))
    };
    let told = async |api: &Api, path: &str, cursor: &str| {
        let answer = api.get(&format!("{path}&cursor={cursor}")).await;
        (answer.status.as_u16(), answer.json()["code"].as_str().unwrap_or_default().to_owned())
    };
    let wrong = (400, "cursor_invalid".to_owned());
    // Another project's, whose lists are called the same.
    for path in ["/organizations?limit=1", "/applications?limit=1", "/registration-tokens?limit=1"] {
        let made = cursor(&operator, path).await;
        assert_eq!(told(&second, path, &made).await, wrong, "{path}");
        // Another token of the operator goes on where the first one was.
        assert_eq!(told(&Api::operator(&house).await, path, &made).await.0, 200, "{path}");
    }
    // Another organization's, and another person's.
    let domains = cursor(&operator, "/organizations/org-a/domains?limit=1").await;
    assert_eq!(told(&operator, "/organizations/org-b/domains?limit=1", &domains).await, wrong);
    let all = BTreeMap::from([("con", &con), ("ann", &ann)]);
    for path in ["/me/organizations?limit=1", "/me/sessions?limit=1"] {
        let made = cursor(&con, path).await;
        for (name, api) in &all {
            let expected = if *name == "con" { 200 } else { 400 };
            assert_eq!(told(api, path, &made).await.0, expected, "{path} {name}");
        }
    }
    // By whichever name.
    let id = house.organization("org-a").await;
    let uuid = operator.get("/organizations/org-a").await.json()["uuid"].as_str().unwrap().to_owned();
    for name in ["org-a", &id, &uuid] {
        let path = format!("/organizations/{name}/domains?limit=1");
        assert_eq!(told(&operator, &path, &domains).await.0, 200, "{name}");
    }
    let connection = &ids.all()["connection_id"];
    let versions = cursor(&operator, &format!("/connections/{connection}/versions?limit=1")).await;
    let uuid = connection.parse::<ConnectionId>().unwrap().uuid();
    let by_uuid = format!("/connections/{uuid}/versions?limit=1");
    assert_eq!(told(&operator, &by_uuid, &versions).await.0, 200);
}
