//! Whose a new organization is, and which organizations have nobody.

use serde_json::{Value, json};

use crate::house::answers::told;
use crate::house::api::{Api, access_token};
use crate::house::broker::{Engine, House, Plan};
use behalf::model::api_key::OperatorRole;

const ENGINES: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];

fn slugs(page: &Value) -> Vec<String> {
    page["items"].as_array().unwrap().iter().map(|one| one["slug"].as_str().unwrap().to_owned()).collect()
}

/// Who owns it.
async fn owners(operator: &Api, slug: &str) -> Vec<Value> {
    let page = operator.get(&format!("/organizations/{slug}/members?role=owner")).await.json();
    page["items"].as_array().unwrap().iter().map(|one| one["user_id"].clone()).collect()
}

#[tokio::test]
async fn s1_l2_s1_r02_the_operator_names_who_owns_a_new_organization_or_invites_them() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        access_token(&house, "ann@a.test", "org-a").await;
        let ann = house.user("ann@a.test").await;
        // By id, and by an address that its domain's holder has proved.
        for (slug, body) in [
            ("by-id", json!({"name": "By Id", "owner_user_id": ann})),
            ("by-email", json!({"name": "By Email", "owner_email": "ANN@A.test"})),
        ] {
            let made = operator.post("/organizations", body).await;
            assert_eq!(
                (made.status.as_u16(), &made.json()["has_owner"]),
                (201, &json!(true)),
                "{}",
                made.body
            );
            assert!(made.json().get("owner_invitation").is_none());
            assert_eq!(owners(&operator, slug).await, [json!(ann)]);
        }
        // Of an address that nobody has proved: an invitation, and no owner until it is accepted.
        let body = json!({"name": "By Invitation", "owner_email": "bob@b.test"});
        let made = operator.post("/organizations", body).await;
        assert_eq!((made.status.as_u16(), &made.json()["has_owner"]), (201, &json!(false)), "{}", made.body);
        let invitation = made.json()["owner_invitation"].clone();
        assert_eq!(invitation["invitation"]["roles"], json!(["owner"]));
        let token = invitation["token"].as_str().unwrap().to_owned();
        let path = format!(
            "/organizations/by-invitation/invitations/{}",
            invitation["invitation"]["id"].as_str().unwrap()
        );
        assert_eq!(operator.get(&path).await.json()["email"], json!("bob@b.test"));
        assert!(!operator.get(&path).await.body.contains(&token), "it is told once");
        assert!(
            slugs(&operator.get("/organizations?has_owner=false").await.json())
                .contains(&"by-invitation".to_owned())
        );
        let bob = Api::person(&house, "bob@b.test", "org-b").await;
        let accepted =
            bob.send(reqwest::Method::POST, &format!("/invitations/{token}/accept"), |ask| ask).await;
        assert_eq!(accepted.status, 200, "{}", accepted.body);
        assert_eq!(owners(&operator, "by-invitation").await, [json!(house.user("bob@b.test").await)]);
        // Who has no owner is told so, in lists too.
        assert_eq!(
            operator.post("/organizations", json!({"name": "Nobodys"})).await.json()["has_owner"],
            json!(false)
        );
        let mut nobodys = slugs(&operator.get("/organizations?has_owner=false").await.json());
        nobodys.sort();
        assert_eq!(nobodys, ["nobodys", "org-c"]);
        let owned = slugs(&operator.get("/organizations?has_owner=true").await.json());
        assert_eq!(owned.len(), 5, "{owned:?}");
        for action in ["organization.member.added", "organization.invitation.created"] {
            assert_ne!(house.events_of(action).await, 0, "{action}");
        }
    }
}

#[tokio::test]
async fn s1_l2_who_could_not_own_it_makes_no_organization() {
    let house = House::opens().await;
    let operator = Api::operator(&house).await;
    access_token(&house, "ann@a.test", "org-a").await;
    let ann = house.user("ann@a.test").await;
    house.execute(&format!("UPDATE users SET disabled_at = 1 WHERE id = '{ann}'")).await;
    for (body, status, code) in [
        (json!({"owner_user_id": "user_00000000000000000000000007"}), 404, "user_not_found"),
        (json!({"owner_user_id": "nonsense"}), 404, "user_not_found"),
        (json!({"owner_user_id": ann}), 404, "user_not_found"),
        (json!({"owner_email": "ann@a.test"}), 404, "user_not_found"),
        (json!({"owner_email": "nonsense"}), 422, "invalid_value"),
        (json!({"owner_email": "bob@b.test", "owner_user_id": ann}), 400, "invalid_body"),
        (json!({"owner": ann}), 400, "unknown_field"),
    ] {
        let before = house.before().await;
        assert_eq!(
            told(&operator.post("/organizations", body.clone()).await),
            (status, code.into()),
            "{body}"
        );
        house.refused(&before, code).await;
    }
}

#[tokio::test]
async fn s1_r02_s0_06_people_make_organizations_of_their_own_where_the_project_lets_them() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        let con = Api::person(&house, "con@a.test", "org-a").await;
        let make = async |body: Value| con.post("/organizations", body).await;
        let before = house.before().await;
        assert_eq!(told(&make(json!({"name": "Mine"})).await), (403, "operator_required".into()));
        house.refused(&before, "operator_required").await;
        for api in [
            Api::key(&house, "org-a", &["organization:write"]).await,
            Api::by(&house, OperatorRole::Auditor).await,
        ] {
            let refused = api.post("/organizations", json!({"name": "Mine"})).await;
            assert_eq!(refused.status, 403, "{}", refused.body);
        }
        let lets = json!({"organizations_by_members": true});
        let policy = operator.put("/project/policy", lets).await;
        assert_eq!((policy.status.as_u16(), &policy.json()["organizations_by_members"]), (200, &json!(true)));
        // One for production and one for tests: both theirs, and each by itself.
        for name in ["Con Production", "Con Test"] {
            let made = make(json!({"name": name})).await;
            assert_eq!(
                (made.status.as_u16(), &made.json()["has_owner"]),
                (201, &json!(true)),
                "{}",
                made.body
            );
        }
        let user = json!(house.user("con@a.test").await);
        for slug in ["con-production", "con-test"] {
            assert_eq!(owners(&operator, slug).await, std::slice::from_ref(&user));
            // The token is of A: what it made is another organization.
            assert_eq!(told(&con.get(&format!("/organizations/{slug}")).await), (404, "not_found".into()));
        }
        let production =
            Api::with(&house, Some(access_token(&house, "con@a.test", "con-production").await)).await;
        assert_eq!(production.get("/organizations/con-production/members").await.status, 200);
        assert_eq!(told(&production.get("/organizations/con-test/members").await), (404, "not_found".into()));
        for (field, value) in [
            ("id", json!("0192f3a4-b5c6-7d8e-9f00-112233445566")),
            ("functional_roles", json!([])),
            ("owner_user_id", user.clone()),
            ("owner_email", json!("con@a.test")),
        ] {
            let before = house.before().await;
            let refused = make(json!({"name": "x", field: value})).await;
            assert_eq!(told(&refused), (403, "operator_required".into()), "{field}");
            assert_eq!(refused.json()["errors"][0]["pointer"], json!(format!("/{field}")));
            house.unchanged(&before).await;
        }
        // Not without end.
        let mut made = 2;
        while make(json!({"name": format!("More {made}")})).await.status == 201 {
            made += 1;
            assert!(made <= 20);
        }
        house.turn_clock(200);
        let over = make(json!({"name": "One more"})).await;
        assert_eq!(told(&over), (429, "rate_limited".into()));
        let left: u64 = over.header("retry-after").unwrap().parse().unwrap();
        assert!((86_000..=86_200).contains(&left), "what is left of the day: {left}");
    }
}

#[tokio::test]
async fn s1_r02_where_people_belong_to_one_organization_they_make_no_second() {
    let own = "display_name = \"Acme Cloud\"\nmembership_mode = \"exclusive\"\n";
    let house = Plan::default().with("display_name = \"Acme Cloud\"\n", own).build().await;
    let operator = Api::operator(&house).await;
    let con = Api::person(&house, "con@a.test", "org-a").await;
    operator.patch("/project/policy", json!({"organizations_by_members": true})).await;
    let user = house.user("con@a.test").await;
    for (api, body) in
        [(&con, json!({"name": "x"})), (&operator, json!({"name": "x", "owner_user_id": user}))]
    {
        let before = house.before().await;
        assert_eq!(told(&api.post("/organizations", body).await), (409, "membership_exclusive".into()));
        house.refused(&before, "membership_exclusive").await;
    }
}

#[tokio::test]
async fn s1_r06_members_see_each_others_names_where_the_organization_says_so() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        access_token(&house, "ann@a.test", "org-a").await;
        let con = Api::with(&house, Some(access_token(&house, "con@a.test", "org-a").await)).await;
        let acts_for_b = Api::with(&house, Some(access_token(&house, "con@a.test", "org-b").await)).await;
        let gone = house.has_member("dan@a.test", "org-a", &["member"]).await;
        house.execute(&format!("UPDATE memberships SET status = 'suspended' WHERE user_id = '{gone}'")).await;
        let path = "/organizations/org-a/members";
        assert_eq!(told(&con.get(path).await), (403, "permission_missing".into()));
        for organization in ["org-a", "org-b"] {
            let policy = format!("/organizations/{organization}/policy");
            assert_eq!(operator.patch(&policy, json!({"member_list": "names"})).await.status, 200);
        }
        let page = con.get(path).await;
        assert_eq!(page.status, 200, "{}", page.body);
        let items = page.json()["items"].as_array().unwrap().clone();
        assert_eq!(items.len(), 2, "those who are active: {items:?}");
        for one in &items {
            let fields: Vec<_> = one.as_object().unwrap().keys().cloned().collect();
            assert_eq!(fields, ["name", "user_id"]);
        }
        let first = con.get(&format!("{path}?limit=1")).await.json();
        let next = first["next_cursor"].as_str().unwrap();
        let second = con.get(&format!("{path}?limit=1&cursor={next}")).await.json();
        assert_eq!((&first["items"][0], &second["items"][0]), (&items[0], &items[1]));
        // No filter tells more, no export, and nobody else's people.
        for query in ["?role=owner", "?status=suspended", "?source=jit", "?kind=home", "?search=ann"] {
            assert_eq!(
                told(&con.get(&format!("{path}{query}")).await),
                (403, "permission_missing".into()),
                "{query}"
            );
        }
        assert_eq!(told(&con.get(&format!("{path}/export")).await), (403, "permission_missing".into()));
        let of_b = acts_for_b.get("/organizations/org-b/members").await;
        assert_eq!(told(&of_b), (403, "permission_missing".into()), "a delegate is none of its people");
        let key = Api::key(&house, "org-a", &["organization:read"]).await;
        assert_eq!(told(&key.get(path).await), (403, "permission_missing".into()));
        let key = Api::key(&house, "org-a", &["members:read"]).await;
        assert_eq!(
            key.get(path).await.json()["items"].as_array().unwrap().len(),
            3,
            "it needs no more than that"
        );
        assert_eq!(operator.get(path).await.json()["items"].as_array().unwrap().len(), 3);
    }
}

#[tokio::test]
async fn s2_02_people_find_their_organizations_by_how_the_names_begin() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let con = Api::person(&house, "con@a.test", "org-a").await;
        let mine = async |search: &str| {
            let (mut all, mut cursor) = (Vec::new(), String::new());
            loop {
                let page =
                    con.get(&format!("/me/organizations?limit=1&search={search}{cursor}")).await.json();
                all.extend(slugs(&page));
                match page["next_cursor"].as_str() {
                    Some(next) => cursor = format!("&cursor={next}"),
                    None => return all,
                }
            }
        };
        assert_eq!(mine("").await, ["org-a", "org-b"]);
        assert_eq!(mine("a%20corp").await, ["org-a"]);
        assert_eq!(mine("B").await, ["org-b"]);
        assert_eq!(mine("corporation").await, [""; 0]);
        assert_eq!(mine("%25").await, [""; 0]);
        let page = con.get("/me/organizations?limit=1").await.json();
        let next = page["next_cursor"].as_str().unwrap();
        let other = con.get(&format!("/me/organizations?limit=1&search=b&cursor={next}")).await;
        assert_eq!(told(&other), (400, "cursor_invalid".into()));
    }
}
