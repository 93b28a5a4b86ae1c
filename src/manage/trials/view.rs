//! How a trial is shown.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::foundation::clock::Moment;
use crate::model::connection_test::{ConnectionTest, LeftOut, TestResult};

/// A sign-in on trial. Times are RFC 3339 in UTC.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct TestView {
    pub id: String,
    pub connection_id: String,
    /// Of the connection, which may be live by now, or gone.
    pub version: i64,
    #[schemars(extend("enum" = ["open", "expired", "succeeded", "failed"]))]
    pub status: &'static str,
    /// An id, or the kind of who has none.
    pub created_by: String,
    #[schemars(extend("format" = "date-time"))]
    pub created_at: String,
    #[schemars(extend("format" = "date-time"))]
    pub expires_at: String,
    #[schemars(extend("format" = "date-time"))]
    pub began_at: Option<String>,
    #[schemars(extend("format" = "date-time"))]
    pub ended_at: Option<String>,
    /// Why it failed, in the words of the audit trail.
    pub reason: Option<String>,
    /// What would have been taken, and what came; where that is known.
    pub expected: Option<String>,
    pub found: Option<String>,
    /// What the provider calls the person.
    pub subject: Option<String>,
    /// The address that a sign-in would have had.
    pub email: Option<String>,
    /// Whom a sign-in would have found; nobody: it would have been their first.
    pub user_id: Option<String>,
    /// Whether an administrator tried it; `null`: nobody knows who it was.
    pub is_admin: Option<bool>,
    #[schemars(extend("enum" = ["verified", "not_verified", "unclaimed", "no_address", null]))]
    pub domain_rule: Option<&'static str>,
    /// What the provider said, as far as it is kept: short, and only what a connection may read. Of what else was said of the
    /// person, the names alone.
    pub claims: BTreeMap<String, Vec<String>>,
    /// How much of it is not among them.
    pub left_out: LeftOutView,
}

/// How much of what a provider said is not shown; a role rule goes by all of it.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct LeftOutView {
    /// Claims of which not even the name is.
    pub claims: u64,
    /// Values, by claim.
    pub values: BTreeMap<String, u64>,
    /// Characters of values that are shown, by claim.
    pub characters: BTreeMap<String, u64>,
}

/// With its link, which is shown once.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct TestMade {
    pub test: TestView,
    /// For somebody who administers nothing: they open it in a browser.
    #[schemars(extend("format" = "uri"))]
    pub link: String,
}

impl TestView {
    pub fn of(test: &ConnectionTest, now: Moment) -> Self {
        let moment = |at: Option<Moment>| at.map(Moment::rfc3339);
        let result = test.result.as_ref();
        let text = |of: fn(&TestResult) -> &Option<String>| result.and_then(|result| of(result).clone());
        Self {
            id: test.id.to_string(),
            connection_id: test.connection_id.to_string(),
            version: test.version,
            status: test.state(now).word(),
            created_by: test.created_by.clone(),
            created_at: test.created_at.rfc3339(),
            expires_at: test.expires_at.rfc3339(),
            began_at: moment(test.began_at),
            ended_at: moment(result.map(|result| result.ended_at)),
            reason: text(|result| &result.reason),
            expected: text(|result| &result.expected),
            found: text(|result| &result.found),
            subject: text(|result| &result.subject),
            email: result.and_then(|result| result.email.as_ref()).map(ToString::to_string),
            user_id: result.and_then(|result| result.user).map(|user| user.to_string()),
            is_admin: result.and_then(|result| result.tester.administers()),
            domain_rule: result.and_then(|result| result.domain_rule).map(|rule| rule.word()),
            claims: result.map(|result| result.claims.clone()).unwrap_or_default(),
            left_out: result.map(|result| LeftOutView::of(&result.left_out)).unwrap_or_default(),
        }
    }
}

impl LeftOutView {
    fn of(left_out: &LeftOut) -> Self {
        let LeftOut { claims, values, characters } = left_out.clone();
        Self { claims, values, characters }
    }
}
