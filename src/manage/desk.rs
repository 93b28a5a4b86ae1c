//! What an operation is given: who asks, and for what; and how it answers and writes.

mod answer;
mod change;
mod replay;

use std::str::FromStr;
use std::time::Duration;

use super::authority::{Need, Standing, Target, Verdict, is_fresh, judge};
use super::caller::{Caller, Who, at_most_within};
use super::refused::{Code, Refused};
use crate::foundation::clock::Moment;
use crate::foundation::id::OrganizationId;
use crate::foundation::secret::Digest;
use crate::model::organization::Organization;
use crate::model::permission::Permission;
use crate::model::project::Project;
use crate::store::durable::applications;
use crate::store::durable::choices::Told;
use crate::store::durable::engine::Database;
use crate::web::visitor::Visitor;
use answer::matches;

pub use answer::{Answer, Reply, etag, names_etag};
pub use change::Change;
pub use replay::replayed;

/// What an operation is given.
pub struct Desk {
    pub visitor: Visitor,
    pub caller: Caller,
    pub now: Moment,
    /// The organization that it is about; nothing where that is to be made, or where it is about none.
    pub organization: Option<Organization>,
    pub params: Params,
    pub asked: Asked,
}

/// What the path says.
#[derive(Clone, Debug)]
pub struct Params(Vec<(String, String)>);

impl Params {
    pub fn new(all: Vec<(String, String)>) -> Self {
        Self(all)
    }

    /// Empty, if the path says no such thing.
    pub fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// What the path calls the thing that it is about; never a secret that it holds.
    pub fn last(&self) -> &str {
        self.0.iter().rfind(|(name, _)| name != "token").map_or("", |(_, value)| value)
    }

    /// All but this one.
    pub fn others_than(&self, name: &str) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().filter(move |(known, _)| known != name).map(|(name, value)| (&**name, &**value))
    }

    /// An id. What is none names nothing that there is.
    pub fn id<I: FromStr>(&self, name: &str) -> Result<I, Refused> {
        self.get(name).parse().map_err(|_| Refused::hidden())
    }
}

/// What a route needs, and of whom.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    pub need: Need,
    pub fresh: Option<Duration>,
    pub target: Target,
}

impl Wanted {
    /// What only some of what a route does needs besides.
    pub fn besides(permission: Permission, organization: OrganizationId) -> Self {
        Self { need: Need::Permitted(permission), fresh: None, target: Target::Organization(organization) }
    }

    /// Whether somebody who stands like this may.
    pub fn of(self, standing: &Standing, now: Moment) -> Result<(), Refused> {
        match judge(standing, self.need, self.target) {
            Verdict::Granted => match self.fresh {
                Some(within) if !is_fresh(standing, within, now) => Err(Refused::stale(within)),
                _ => Ok(()),
            },
            Verdict::Hidden => Err(Refused::hidden()),
            Verdict::Refused(Code::PermissionMissing) => {
                Err(Refused::new(Code::PermissionMissing, missing(self.need)))
            }
            Verdict::Refused(code) => Err(Refused::new(code, code.title())),
        }
    }
}

fn missing(need: Need) -> String {
    match need {
        Need::Permitted(permission)
        | Need::Still(permission)
        | Need::Operator(permission)
        | Need::OperatorOrPerson(permission) => format!("this needs `{permission}`"),
        Need::OwnRight(permission) => {
            format!(
                "this needs `{permission}`, and nobody has that by a delegation or by an application that they had to allow"
            )
        }
        Need::Owners(permission) => {
            format!("an owner of the organization decides this, in person, and it needs `{permission}`")
        }
        Need::Public | Need::Any | Need::Person | Need::Account => Code::PermissionMissing.title().to_owned(),
    }
}

/// What is asked for, besides query and body.
#[derive(Clone, Debug)]
pub struct Asked {
    pub wanted: Wanted,
    pub if_match: Option<String>,
    pub idempotency_key: Option<String>,
    /// Of method, path, query and body.
    pub fingerprint: Digest,
    /// What a cursor of the operation is bound to.
    pub list: String,
}

impl Desk {
    pub fn project(&self) -> &Project {
        &self.visitor.project
    }

    pub fn db(&self) -> &Database {
        &self.visitor.broker().db
    }

    /// Of which organizations of a person the application learns by which they came.
    pub async fn told(&self) -> Result<Told, Refused> {
        let Who::Person(acting) = self.caller.who else { return Ok(Told::All) };
        let themselves = Told::themselves(&self.project().settings);
        if themselves == Told::Nothing {
            return Ok(themselves);
        }
        if let Standing::Within { organization, is_by_consent: true, .. } = self.caller.standing {
            return Ok(Told::Acted(organization));
        }
        let found = applications::by_id(&mut self.db(), self.project().id, acting.application).await?;
        let found = found.filter(|found| found.settings.organizations_limited);
        Ok(found.map_or(themselves, |found| Told::Open(found.id)))
    }

    /// The organization of the path, for who only looks.
    pub fn organization(&self) -> Result<&Organization, Refused> {
        self.organization.as_ref().ok_or_else(Refused::hidden)
    }

    /// [`Change::matches`] before anything is asked of others; what counts is the one in the transaction.
    pub fn matches(&self, etag: &str) -> Result<(), Refused> {
        matches(self.asked.if_match.as_deref(), etag)
    }

    /// What a file is called that holds this of the organization, or of the project, as it is today.
    pub fn file_name(&self, what: &str, ending: &str) -> String {
        let of = self.organization.as_ref().map_or(&self.project().slug, |found| &found.slug);
        let day: String = self.now.rfc3339().chars().take(10).collect();
        format!("{what}-{of}-{day}.{ending}")
    }

    /// [`at_most_within`]
    pub async fn at_most(
        &self,
        what: &str,
        most: (u64, Duration),
        told: impl FnOnce() -> String,
    ) -> Result<(), Refused> {
        at_most_within(&self.visitor, what, most, told).await
    }
}
