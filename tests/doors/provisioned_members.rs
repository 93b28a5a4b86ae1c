//! `behalf apply` and people who are in already, by whatever way.

use behalf::manage::house_file::Mode;
use serde_json::json;

use super::provisioning::told;
use crate::house::api::Api;
use crate::house::application::{Application, Person};
use crate::house::broker::{Engine, House, Plan};

const ANN: &str = "{ email = \"ann@a.test\", roles = [\"owner\"] },";

fn lists(house: &House, member: &str) -> String {
    assert!(house.file.contains(ANN));
    house.file.replacen(ANN, &format!("{ANN}\n  {member},"), 1)
}

async fn comes(house: &House, email: &str) {
    Person::new(email).follows(&Application::rp1(house).asks().with("login_hint", email)).await.code();
}

async fn held(house: &House, email: &str) -> Option<String> {
    let sql = "SELECT m.kind || ' ' || m.roles FROM memberships m JOIN users u ON u.id = m.user_id WHERE u.email = ";
    house.text(&format!("{sql}'{email}'")).await
}

#[tokio::test]
async fn s1_r09_h05_the_file_changes_who_has_come_by_themselves_at_once() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        comes(&house, "new@a.test").await;
        let role = format!("/organizations/org-a/members/{}/role", house.user("new@a.test").await);
        assert_eq!(operator.patch(&role, json!({"role": "admin"})).await.status, 200);
        let member = "{ email = \"new@a.test\", roles = [\"member\"], kind = \"home\" }";
        let file = lists(&house, member);
        let before = house.before().await;
        let planned = told(&house.reports(&file, Mode::Plan).await);
        assert_eq!(planned.len(), 1, "{planned:?}");
        assert!(planned[0].starts_with("~ member new@a.test of org-a"), "{planned:?}");
        house.unchanged(&before).await;
        assert_eq!(told(&house.reports(&file, Mode::Apply).await), planned);
        assert_eq!(held(&house, "new@a.test").await.as_deref(), Some("home [\"member\"]"));
        assert_eq!(told(&house.reports(&file, Mode::Apply).await), [""; 0]);
        // A place that waited for them counts no more than the file.
        let place =
            "INSERT INTO expected_members (organization_id, project_id, email, domain, kind, roles, created_at)
                     SELECT m.organization_id, m.project_id, u.email, 'a.test', 'home', '[\"owner\"]', m.updated_at + 1
                     FROM memberships m JOIN users u ON u.id = m.user_id WHERE u.email = 'new@a.test'";
        assert_eq!(house.execute(place).await, 1);
        assert_eq!(told(&house.reports(&file, Mode::Apply).await), [""; 0]);
        comes(&house, "new@a.test").await;
        assert_eq!(held(&house, "new@a.test").await.as_deref(), Some("home [\"member\"]"));
        // The other direction as well.
        let file = lists(&house, &member.replace("\"member\"", "\"admin\""));
        assert_eq!(house.reports(&file, Mode::Apply).await.changes.len(), 1);
        assert_eq!(held(&house, "new@a.test").await.as_deref(), Some("home [\"admin\"]"));
    }
}

/// An address that nobody vouches for says of nobody who they are (threats C02).
#[tokio::test]
async fn c02_the_file_gives_nobody_anything_by_an_address_that_is_not_proved() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = Plan::on(engine).build().await;
        comes(&house, "new@a.test").await;
        let before = held(&house, "new@a.test").await;
        house.execute("UPDATE users SET email_verified_at = NULL").await;
        let file = lists(&house, "{ email = \"new@a.test\", roles = [\"admin\"] }");
        let told = told(&house.reports(&file, Mode::Apply).await);
        assert!(told.len() == 1 && told[0].starts_with("+ member new@a.test of org-a"), "{told:?}");
        assert_eq!(held(&house, "new@a.test").await, before);
    }
}
