//! The walk: what a person would do, done by a program that knows what every claim must be.

use http::StatusCode;
use serde_json::{Value, json};

use super::scene::{ANN, CLIENT_ID, CON, Customer, Scene};
use super::told::bold;
use super::visitor::{Page, Visitor};
use crate::cli::Error;

/// Walks every chapter; returns how many checks held.
///
/// # Errors
/// The first thing that is not as it must be.
pub async fn all(scene: &Scene) -> Result<usize, Error> {
    let mut story = Story { scene, checked: 0 };
    let mut ann = Visitor::arrives();
    story.ann_signs_in(&mut ann).await?;
    story.ann_comes_back(&mut ann).await?;
    story.ann_asks_for_a_foreign_organization(&mut ann).await?;
    story.ann_leaves(&mut ann).await?;
    // At the same browser.
    let mut con = ann;
    story.con_acts_for_my_corporation(&mut con).await?;
    story.con_is_asked_for_at_home(&mut con).await?;
    story.con_switches(&mut con).await?;
    story.a_stranger_is_told_kindly().await?;
    Ok(story.checked)
}

struct Story<'a> {
    scene: &'a Scene,
    checked: usize,
}

impl Story<'_> {
    /// One organization: nobody asks her which.
    async fn ann_signs_in(&mut self, ann: &mut Visitor) -> Result<(), Error> {
        title("Ann signs in: her email domain leads to My Corporation's identity provider");
        let my_corp = &self.scene.my_corp;
        let page = self.go_to_provider(ann, ANN).await?;
        self.expect("at My Corporation's own sign-in", at(&page, &my_corp.provider))?;
        let page = ann.presses(&page, ANN, None).await?;
        self.expect("no page asks for an organization", at(&page, &self.scene.application))?;
        let shown = page.says("Signed in as Ann , acting for My Corporation");
        self.expect("Acme CRM: \"Signed in as Ann, acting for My Corporation\"", shown)?;
        let claims = self.claims(ann).await?;
        self.member(&claims, ANN, "Ann", my_corp, "owner")?;
        self.claim(&claims, "organizations", &listed(&[my_corp]))
    }

    /// Single sign-on: the session at Behalf is enough.
    async fn ann_comes_back(&mut self, ann: &mut Visitor) -> Result<(), Error> {
        title("Ann signs out of Acme CRM and comes back: nobody is asked");
        let before = self.claims(ann).await?;
        let page = ann.opens(&self.scene.application).await?;
        ann.presses(&page, "Sign out of Acme CRM", None).await?;
        let gone = ann.opens(&self.address("/me")).await?.status == StatusCode::UNAUTHORIZED;
        self.expect("Acme CRM has forgotten her", gone)?;
        let page = ann.opens(&self.address("/sign-in")).await?;
        self.expect("back at Acme CRM at once", at(&page, &self.scene.application))?;
        self.expect("by way of Behalf", ann.passed(&self.scene.broker.origin))?;
        self.expect("not by way of an identity provider", !ann.passed(&self.scene.my_corp.provider))?;
        let after = self.claims(ann).await?;
        for name in ["sub", "auth_time", "org_id"] {
            self.claim(&after, name, &before[name])?;
        }
        Ok(())
    }

    /// Asking for an organization skips the page, never the checks.
    async fn ann_asks_for_a_foreign_organization(&mut self, ann: &mut Visitor) -> Result<(), Error> {
        title("Ann asks for Contractor, which is not hers: Acme CRM is told no");
        let page = ann.opens(&self.address("/sign-in?organization=contractor")).await?;
        let told = at(&page, &self.scene.application) && page.status == StatusCode::FORBIDDEN;
        self.expect("back at Acme CRM, not signed in", told)?;
        self.expect("error = access_denied", page.says("access_denied"))?;
        let page = ann.opens(&self.address("/sign-in?organization=nobody")).await?;
        let same = page.says("access_denied") && page.says("organization_not_allowed");
        self.expect("the same for an organization that does not exist", same)
    }

    /// From where that ends, so that somebody else can sign in.
    async fn ann_leaves(&mut self, ann: &mut Visitor) -> Result<(), Error> {
        title("Ann goes back to Acme CRM and signs out at Behalf, too");
        let page = ann.opens(&self.address("/")).await?;
        let logout = format!("{}/logout?client_id={CLIENT_ID}", self.scene.broker.origin);
        let is_offered = page.body.contains(&format!("href=\"{logout}\"")) && page.says("Sign out at Behalf");
        self.expect("Acme CRM says where", is_offered)?;
        let page = ann.opens(&logout).await?;
        let page = ann.presses(&page, "Sign out", None).await?;
        self.expect("Behalf: \"You are signed out\"", page.says("You are signed out"))?;
        self.expect("and the way back to Acme CRM", page.says("Return to Acme CRM"))
    }

    /// The contractor of the story.
    async fn con_acts_for_my_corporation(&mut self, con: &mut Visitor) -> Result<(), Error> {
        title("Con signs in with Contractor's identity provider, by SAML, and acts for My Corporation");
        let Scene { my_corp, contractor, delegation, .. } = self.scene;
        let page = self.go_to_provider(con, CON).await?;
        self.expect("at Contractor's own sign-in", at(&page, &contractor.provider))?;
        self.expect("where a signed SAML request led", con.came_by("SAMLRequest"))?;
        let page = con.presses(&page, CON, None).await?;
        let carries =
            page.forms().iter().any(|form| form.fields.iter().any(|(name, _)| name == "SAMLResponse"));
        self.expect("whose answer is carried back by his browser", carries)?;
        let page = con.presses(&page, "Continue", None).await?;
        let asked = at(&page, &self.scene.broker.origin) && page.says("Who are you acting for?");
        self.expect("Behalf asks for whom he acts", asked)?;
        let choices: Vec<_> = page.forms().into_iter().flat_map(|form| form.buttons).collect();
        let offered = choices.iter().filter(|button| button.name.as_deref() == Some("choice"));
        self.expect("two choices: Contractor; My Corporation, on its behalf", offered.count() == 2)?;
        let page = con.presses(&page, "on behalf of My Corporation", None).await?;
        let shown = page.says("Signed in as Con , acting for My Corporation")
            && page.says("they belong to Contractor");
        self.expect("Acme CRM: \"Signed in as Con, acting for My Corporation\"", shown)?;
        self.expect("not by way of My Corporation's identity provider", !con.passed(&my_corp.provider))?;
        let claims = self.claims(con).await?;
        self.person(&claims, CON, "Con", contractor)?;
        self.organization(&claims, my_corp, "member")?;
        self.claim(&claims, "home_org_id", &json!(contractor.organization.id.to_string()))?;
        self.claim(&claims, "delegation_id", &json!(delegation.id.to_string()))?;
        self.claim(&claims, "organizations", &listed(&[contractor, my_corp]))
    }

    /// `organization=` answers the question before it is asked.
    async fn con_is_asked_for_at_home(&mut self, con: &mut Visitor) -> Result<(), Error> {
        title("Acme CRM asks for Contractor itself: no page, and nothing on behalf");
        let page = con.opens(&self.address("/sign-in?organization=contractor")).await?;
        self.expect("back at Acme CRM at once", at(&page, &self.scene.application))?;
        let claims = self.claims(con).await?;
        self.member(&claims, CON, "Con", &self.scene.contractor, "member")
    }

    async fn con_switches(&mut self, con: &mut Visitor) -> Result<(), Error> {
        title("Con switches back to My Corporation: the page again, no identity provider");
        let page = con.opens(&self.address("/sign-in?prompt=select_organization")).await?;
        self.expect("Behalf asks for whom he acts", page.says("Who are you acting for?"))?;
        con.presses(&page, "on behalf of My Corporation", None).await?;
        self.expect("not by way of an identity provider", !con.passed(&self.scene.contractor.provider))?;
        let claims = self.claims(con).await?;
        self.organization(&claims, &self.scene.my_corp, "member")?;
        self.claim(&claims, "home_org_id", &json!(self.scene.contractor.organization.id.to_string()))
    }

    async fn a_stranger_is_told_kindly(&mut self) -> Result<(), Error> {
        title("Somebody of an unknown domain: a helpful page, and no identity provider");
        let mut stranger = Visitor::arrives();
        let page = self.go_to_provider(&mut stranger, "somebody@else.example").await?;
        let refused = at(&page, &self.scene.broker.origin) && page.status.is_client_error();
        self.expect("still at Behalf", refused)?;
        self.expect("which says what to do", page.says("Check the part after the @."))
    }

    /// From Acme CRM to the page of Behalf that asks for the email address, and on from there.
    async fn go_to_provider(&mut self, visitor: &mut Visitor, email: &str) -> Result<Page, Error> {
        let page = visitor.opens(&self.address("/sign-in")).await?;
        self.expect("Behalf asks for the work email", page.says("Sign in to Acme CRM"))?;
        visitor.presses(&page, "Continue", Some(("email", email))).await
    }

    fn address(&self, path: &str) -> String {
        format!("{}{path}", self.scene.application)
    }

    /// The ID token's claims, after every check of the application.
    async fn claims(&self, visitor: &mut Visitor) -> Result<Value, Error> {
        let page = visitor.opens(&self.address("/me")).await?;
        if page.status != StatusCode::OK {
            return Err("Acme CRM has not signed them in".into());
        }
        let mut claims: Value = serde_json::from_str(&page.body)?;
        // An order without a meaning.
        if let Some(list) = claims["organizations"].as_array_mut() {
            list.sort_by_key(|one| one["id"].as_str().map(str::to_owned));
        }
        Ok(claims)
    }

    fn person(&mut self, claims: &Value, email: &str, name: &str, through: &Customer) -> Result<(), Error> {
        self.claim(claims, "iss", &json!(self.scene.broker.origin))?;
        self.claim(claims, "aud", &json!([CLIENT_ID]))?;
        self.claim(claims, "email", &json!(email))?;
        self.claim(claims, "email_verified", &json!(true))?;
        self.claim(claims, "name", &json!(name))?;
        self.claim(claims, "amr", &json!(["pwd"]))?;
        self.claim(claims, "idp", &json!(through.connection.id.to_string()))
    }

    fn organization(&mut self, claims: &Value, customer: &Customer, role: &str) -> Result<(), Error> {
        let organization = &customer.organization;
        self.claim(claims, "org_id", &json!(organization.id.to_string()))?;
        self.claim(claims, "org_name", &json!(organization.slug))?;
        self.claim(claims, "org_display_name", &json!(organization.display_name))?;
        self.claim(claims, "roles", &json!([role]))
    }

    /// Somebody who acts for their own organization.
    fn member(
        &mut self,
        claims: &Value,
        email: &str,
        name: &str,
        customer: &Customer,
        role: &str,
    ) -> Result<(), Error> {
        self.person(claims, email, name, customer)?;
        self.organization(claims, customer, role)?;
        self.claim(claims, "home_org_id", &Value::Null)?;
        self.claim(claims, "delegation_id", &Value::Null)
    }

    fn claim(&mut self, claims: &Value, name: &str, expected: &Value) -> Result<(), Error> {
        let shown = held(claims, name, expected)?;
        self.checked += 1;
        say!("     {name:<17} {shown}");
        Ok(())
    }

    fn expect(&mut self, what: &str, holds: bool) -> Result<(), Error> {
        if !holds {
            return Err(format!("this does not hold: {what}").into());
        }
        self.checked += 1;
        say!("   ✓ {what}");
        Ok(())
    }
}

/// The claim as it is shown, if it is what it must be; `Value::Null` stands for one that must be absent. Of the
/// list of organizations only the ids are looked at.
fn held(claims: &Value, name: &str, expected: &Value) -> Result<String, Error> {
    let found = match claims.get(name) {
        None => Value::Null,
        Some(Value::Array(list)) if name == "organizations" => {
            list.iter().map(|one| one["id"].clone()).collect()
        }
        Some(value) => value.clone(),
    };
    if found != *expected {
        return Err(format!("the claim {name} is {found}, and must be {expected}").into());
    }
    Ok(match &found {
        Value::Null => "(absent)".into(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    })
}

fn title(text: &str) {
    say!("\n{}", bold(text));
}

fn at(page: &Page, origin: &str) -> bool {
    page.url.origin().ascii_serialization() == origin
}

/// The ids of these organizations, as `claims` sorts them.
fn listed(customers: &[&Customer]) -> Value {
    let mut ids: Vec<_> = customers.iter().map(|one| one.organization.id.to_string()).collect();
    ids.sort();
    json!(ids)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn s2_22_a_claim_that_is_wrong_missing_or_too_many_stops_the_walk() {
        let claims =
            json!({ "org_id": "org_a", "delegation_id": "dlg_a", "organizations": [{ "id": "org_a" }] });
        assert_eq!(held(&claims, "org_id", &json!("org_a")).unwrap(), "org_a");
        assert_eq!(held(&claims, "home_org_id", &Value::Null).unwrap(), "(absent)");
        assert_eq!(held(&claims, "organizations", &json!(["org_a"])).unwrap(), "[\"org_a\"]");
        for (name, expected) in [
            ("org_id", json!("org_b")),
            ("home_org_id", json!("org_b")),
            ("delegation_id", Value::Null),
            ("organizations", json!(["org_a", "org_b"])),
            ("organizations", json!([])),
        ] {
            assert!(held(&claims, name, &expected).is_err(), "{name}");
        }
    }
}
