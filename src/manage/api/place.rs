//! What a request is about: its path, or what it names, leads to an organization, a thing or the project.

use axum::extract::{FromRequestParts, RawPathParams};
use http::request::Parts;

use super::route::{At, Thing};
use crate::foundation::id::OrganizationId;
use crate::manage::authority::Target;
use crate::manage::caller::Caller;
use crate::manage::desk::Params;
use crate::manage::refused::{Code, Refused};
use crate::model::api_key::Holder;
use crate::model::organization::Organization;
use crate::store::durable::{
    api_keys, applications, connections, delegations, organizations, registrations, roles,
};
use crate::web::visitor::Visitor;

/// Where a request leads.
pub struct Place {
    pub params: Params,
    /// The organization that it is about, if there is one.
    pub organization: Option<Organization>,
    pub target: Target,
    /// What query or body called the organization.
    asked: Option<String>,
}

impl Place {
    /// `asked`: the organization that the query or the body names.
    pub async fn of(
        visitor: &Visitor,
        caller: &Caller,
        at: At,
        parts: &mut Parts,
        asked: Option<&str>,
    ) -> Result<Self, Refused> {
        let params = params(parts).await?;
        let asked_so = asked.map(str::to_owned);
        let mut place = Self { params, organization: None, target: Target::Project, asked: asked_so };
        match at {
            At::Project => {}
            At::Organization | At::OrganizationOrNew | At::OrganizationOrDeleted => {
                place.of_organization(visitor, at).await?
            }
            At::Asked => place.asked(visitor, caller, asked).await?,
            At::AskedOrProjects => place.asked_or_projects(visitor, caller, asked).await?,
            At::TrailAsked => place.trail_asked(visitor, caller, asked).await?,
            At::Thing(thing) => place.thing(visitor, thing).await?,
        }
        Ok(place)
    }

    async fn of_organization(&mut self, visitor: &Visitor, at: At) -> Result<(), Refused> {
        let named = self.params.get("organization_id").to_owned();
        let may_be_new = at == At::OrganizationOrNew;
        self.organization = if at == At::OrganizationOrDeleted {
            of_any_status(visitor, &named).await?
        } else {
            by_name(visitor, &named).await?
        };
        self.target = match &self.organization {
            Some(organization) => Target::Organization(organization.id),
            None if may_be_new && named.parse::<OrganizationId>().is_ok() => Target::New,
            None => Target::Unknown,
        };
        Ok(())
    }

    /// The one that is named, else the caller's own, else the operator's default one (S0-08, S0-11).
    async fn asked(
        &mut self,
        visitor: &Visitor,
        caller: &Caller,
        asked: Option<&str>,
    ) -> Result<(), Refused> {
        let own = caller.organization().map(|id| id.to_string());
        let usual = visitor.broker().config.manage.default_organization.clone();
        let named = asked.map(str::to_owned).or(own).or(usual);
        let missing = || Refused::new(Code::OrganizationRequired, "name it as organization_id");
        self.named_so(visitor, &named.ok_or_else(missing)?).await
    }

    /// The one that is named, else the caller's own, else none.
    async fn asked_or_projects(
        &mut self,
        visitor: &Visitor,
        caller: &Caller,
        asked: Option<&str>,
    ) -> Result<(), Refused> {
        match asked.map(str::to_owned).or_else(|| caller.organization().map(|id| id.to_string())) {
            Some(named) => self.named_so(visitor, &named).await?,
            None => self.target = Target::Projects,
        }
        Ok(())
    }

    /// As [`Self::asked_or_projects`], of whatever was once an organization.
    async fn trail_asked(
        &mut self,
        visitor: &Visitor,
        caller: &Caller,
        asked: Option<&str>,
    ) -> Result<(), Refused> {
        self.asked_or_projects(visitor, caller, asked).await?;
        if let (Target::Unknown, Some(named), true) = (self.target, asked, caller.is_operator()) {
            self.organization = of_any_status(visitor, named).await?;
            self.target =
                self.organization.as_ref().map_or(Target::Unknown, |found| Target::Organization(found.id));
        }
        Ok(())
    }

    async fn named_so(&mut self, visitor: &Visitor, named: &str) -> Result<(), Refused> {
        self.organization = by_name(visitor, named).await?;
        self.target =
            self.organization.as_ref().map_or(Target::Unknown, |found| Target::Organization(found.id));
        Ok(())
    }

    async fn thing(&mut self, visitor: &Visitor, thing: Thing) -> Result<(), Refused> {
        self.target = self.owner(visitor, thing).await?;
        if let Target::Organization(id) = self.target {
            self.organization = by_name(visitor, &id.to_string()).await?;
        }
        if matches!(self.target, Target::Organization(_)) && self.organization.is_none() {
            self.target = Target::Unknown;
        }
        Ok(())
    }

    async fn owner(&self, visitor: &Visitor, thing: Thing) -> Result<Target, Refused> {
        let (db, project) = (&mut &visitor.broker().db, visitor.project.id);
        let of = |organization: Option<OrganizationId>| {
            organization.map_or(Target::Projects, Target::Organization)
        };
        let text = self.params.get(thing.parameter());
        // What is no id names nothing.
        let found = match thing {
            Thing::Connection => match text.parse() {
                Ok(id) => connections::by_id(db, project, id).await?.map(|found| of(found.organization_id)),
                Err(_) => None,
            },
            Thing::Application => match text.parse() {
                Ok(id) => applications::by_id(db, project, id).await?.map(|found| of(found.organization_id)),
                Err(_) => None,
            },
            Thing::RegistrationToken => match text.parse() {
                Ok(id) => registrations::by_id(db, project, id).await?.map(|_| Target::Projects),
                Err(_) => None,
            },
            Thing::Delegation => match text.parse() {
                Ok(id) => delegations::by_id(db, project, id)
                    .await?
                    .map(|found| Target::Pair(found.home, found.target)),
                Err(_) => None,
            },
            Thing::Role => match text.parse() {
                Ok(id) => roles::by_id(db, project, id).await?.map(|found| of(found.organization)),
                Err(_) => None,
            },
            Thing::ApiKey => match text.parse() {
                Ok(id) => {
                    api_keys::by_id(db, project, id, visitor.broker().now()).await?.map(|(key, _)| match key
                        .holder
                    {
                        Holder::Operator(_) => Target::Projects,
                        Holder::Organization(id, _) => Target::Organization(id),
                    })
                }
                Err(_) => None,
            },
        };
        Ok(found.unwrap_or(Target::Unknown))
    }

    /// What the path calls it, for the trail; or query or body, where the path names nothing.
    pub fn named(&self) -> &str {
        match (self.params.last(), &self.asked) {
            ("", Some(asked)) => asked,
            (last, _) => last,
        }
    }
}

/// What the path says, in its order.
async fn params(parts: &mut Parts) -> Result<Params, Refused> {
    let raw = RawPathParams::from_request_parts(parts, &()).await.map_err(|_| Refused::hidden())?;
    let all: Vec<_> = raw.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    // No text with a NUL is kept anywhere, and PostgreSQL would not even look for it.
    if all.iter().any(|(_, value)| value.contains('\0')) {
        return Err(Refused::hidden());
    }
    Ok(Params::new(all))
}

/// By id, UUID or slug; one that is deleted is none.
async fn by_name(visitor: &Visitor, named: &str) -> Result<Option<Organization>, Refused> {
    Ok(of_any_status(visitor, named).await?.filter(|found| found.deleted_at.is_none()))
}

async fn of_any_status(visitor: &Visitor, named: &str) -> Result<Option<Organization>, Refused> {
    if named.contains('\0') {
        return Ok(None);
    }
    Ok(organizations::named(&mut &visitor.broker().db, visitor.project.id, named).await?)
}
