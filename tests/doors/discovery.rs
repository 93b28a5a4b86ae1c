//! What an issuer says of itself is what it does.

use std::collections::BTreeSet;
use std::fmt::Write;

use serde_json::Value;

use crate::house::application::{Application, Person};
use crate::house::broker::{House, Plan};
use crate::house::lying_idp::Says;
use crate::house::visitor::Visitor;

/// Of access tokens alone: the application is not to read them (RFC 9068, section 2.2).
const OF_ACCESS_TOKENS: [&str; 4] = ["client_id", "scope", "jti", "grant_id"];

type Names = BTreeSet<String>;

fn names(claims: &Value) -> Names {
    claims.as_object().unwrap().keys().cloned().collect()
}

/// As many organizations as no token lists, and an application that wants to know everything.
async fn house(shape: &str) -> House {
    let claims = format!(
        "claims = {{ idp = true, org_slug = true, org_display_name = true, organizations = \"{shape}\" }}"
    );
    let mut more = String::new();
    for number in 0..20 {
        write!(
            more,
            "\n[organization.more-{number}]\n[[delegation]]\nhome = \"org-a\"\ntarget = \"more-{number}\"\n"
        )
        .unwrap();
    }
    Plan::default().with("claims = { idp = true }", &claims).and(&more).build().await
}

/// What stands in the tokens of a delegate of whom everything is known, and what in their UserInfo.
async fn told(house: &House) -> (Names, Names) {
    let mut says = Says::truth().claim("amr", "[\"pwd\", \"otp\"]");
    for name in ["name", "given_name", "family_name", "locale"] {
        says = says.claim(name, "\"x\"");
    }
    house.idp_a.says(says);
    let rp1 = Application::rp1(house);
    let ask = rp1.asks().with("organization", "org-b");
    let arrival = Person::new("con@a.test").follows(&ask).await;
    let tokens = ask.redeems(&arrival).await;
    let userinfo = rp1.userinfo(&tokens.access_token).await.json();
    let of_person = names(&tokens.id).union(&names(&userinfo)).cloned().collect();
    (of_person, names(&tokens.access))
}

#[tokio::test]
async fn discovery_names_exactly_the_claims_that_are_issued() {
    let (mut issued, mut of_access_tokens) = (Names::new(), Names::new());
    let mut published = Vec::new();
    for shape in ["objects", "names", "ids", "map_by_name", "map_by_id"] {
        let house = house(shape).await;
        let (of_person, of_access) = told(&house).await;
        issued.extend(of_person);
        of_access_tokens.extend(of_access);
        let address = format!("{}/.well-known/openid-configuration", house.url);
        published.push(Visitor::arrives().get(&address).await.json()["claims_supported"].clone());
    }
    published.dedup();
    let [published] = published.as_slice() else { panic!("{published:?}") };
    let list: Vec<_> = published.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    let supported: Names = list.iter().map(ToString::to_string).collect();
    assert_eq!(supported.len(), list.len(), "no name twice");
    assert_eq!(supported, issued);
    let own: Names = of_access_tokens.difference(&supported).cloned().collect();
    assert_eq!(own, OF_ACCESS_TOKENS.map(str::to_owned).into());
}

#[tokio::test]
async fn discovery_claims_nothing_that_is_not_there() {
    let house = House::opens().await;
    let address = format!("{}/.well-known/openid-configuration", house.url);
    let published = Visitor::arrives().get(&address).await.json();
    let names: Vec<_> = published.as_object().unwrap().keys().collect();
    let is_of = |name: &&&String| name.contains("encryption") || name.as_str() == "check_session_iframe";
    assert_eq!(names.iter().find(is_of), None, "nothing is encrypted, and nobody watches sessions in frames");
    assert_eq!(
        published["prompt_values_supported"],
        serde_json::json!(["none", "login", "select_account", "select_organization", "consent"])
    );
}
