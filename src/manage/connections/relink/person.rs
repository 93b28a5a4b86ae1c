//! One person is called otherwise by their provider than they were: an owner says how, and they are who they were. It is
//! the only way where the text itself is another one, and no address ever leads there (invariant 1).

use std::time::Duration;

use http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::names::NamesBody;
use crate::foundation::id::{ConnectionId, IdentityId, UserId};
use crate::foundation::text::guid;
use crate::join::notices;
use crate::manage::api::route::{At, Json, NoBody, NoQuery, Operation, Thing};
use crate::manage::authority::{Need, OWNERS_FRESH};
use crate::manage::connections::api::{OWNERS, READ};
use crate::manage::connections::doors::Doors;
use crate::manage::connections::{event, held};
use crate::manage::desk::{Answer, Change, Desk, etag};
use crate::manage::last_way::Sure;
use crate::manage::refused::{Code, Refused};
use crate::model::connection::Connection;
use crate::model::identity::{Identity, Naming};
use crate::store::durable::{connections, identities};

const PATH: &str = "/connections/{connection_id}/relink/people/{user_id}";
/// SAML Core, section 8.3.7; OpenID Connect Core, section 2, says 255.
const LONGEST: usize = 256;

/// What the provider calls somebody.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PersonNames {
    pub connection_id: String,
    pub user_id: String,
    /// Of which provider.
    pub issuer: String,
    pub names: Vec<PersonName>,
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PersonName {
    pub identity_id: String,
    pub subject: String,
    /// Of a NameID.
    pub format: Option<String>,
    /// The attribute that it was read in.
    pub attribute: Option<String>,
    #[schemars(extend("format" = "date-time"))]
    pub last_login_at: String,
}

impl PersonName {
    fn of(identity: &Identity) -> Self {
        let NamesBody { format, attribute } = NamesBody::of(&identity.naming);
        Self {
            identity_id: identity.id.to_string(),
            subject: identity.subject.clone(),
            format,
            attribute,
            last_login_at: identity.last_login_at.rfc3339(),
        }
    }
}

/// Of what they are called, and not of when they came.
fn tag(known: &[Identity]) -> String {
    let name = |one: &Identity| (one.id, one.subject.clone(), one.naming.clone());
    etag(&known.iter().map(name).collect::<Vec<_>>())
}

/// `GET /connections/{connection_id}/relink/people/{user_id}`
pub struct Plan;

impl Operation for Plan {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = PATH;
    const NAME: &'static str = "plan_relink_person";
    const SUMMARY: &'static str =
        "What the provider calls somebody who has come by the connection. Nothing is changed.";
    const NEED: Need = READ;
    const AT: At = At::Thing(Thing::Connection);
    const STATUS: &'static [u16] = &[200];
    const ETAG: bool = true;
    type Query = NoQuery;
    type Body = NoBody;
    type Answer = PersonNames;

    async fn run(desk: Desk, _: NoQuery, _: NoBody) -> Result<Answer<Self::Answer>, Refused> {
        let id: ConnectionId = desk.params.id("connection_id")?;
        let user: UserId = desk.params.id("user_id")?;
        let db = &mut desk.db();
        let live = connections::by_id(db, desk.project().id, id).await?.ok_or_else(Refused::hidden)?;
        let issuer = live.settings.upstream.issuer();
        let known = identities::of_user(db, (live.id, issuer), user).await?;
        if known.is_empty() {
            return Err(Refused::hidden());
        }
        let names = known.iter().map(PersonName::of).collect();
        let (connection_id, user_id) = (live.id.to_string(), user.to_string());
        let view = PersonNames { connection_id, user_id, issuer: issuer.to_owned(), names };
        Ok(Answer::new(200, &view)?.etag(tag(&known)))
    }
}

/// What somebody is called from now on.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RelinkPersonBody {
    /// Which of their names, by the plan that somebody has looked at.
    pub identity_id: String,
    /// What the provider calls them now, exactly as it says it; with Entra ID `oid` and `tid`, with a dot between them.
    #[schemars(extend("minLength" = 1, "maxLength" = LONGEST))]
    pub subject: String,
    /// Of a SAML connection: the format of the NameID that it is.
    #[serde(default)]
    pub format: Option<String>,
    /// Or the attribute. Of the two, what the live settings name people by.
    #[serde(default)]
    pub attribute: Option<String>,
}

/// `POST /connections/{connection_id}/relink/people/{user_id}`
pub struct Relink;

impl Operation for Relink {
    const METHOD: Method = Method::POST;
    const PATH: &'static str = PATH;
    const NAME: &'static str = "relink_person";
    const SUMMARY: &'static str = "Says what the provider calls somebody from now on: under that name they are who they were; for an owner, and the operator.";
    const NEED: Need = OWNERS;
    const AT: At = At::Thing(Thing::Connection);
    const STATUS: &'static [u16] = &[200];
    const CODES: &'static [Code] = &[
        Code::InvalidValue,
        Code::OperatorRequired,
        Code::PolicyLocksOut,
        Code::PreconditionFailed,
        Code::RelinkConflict,
    ];
    const FRESH: Option<Duration> = Some(OWNERS_FRESH);
    type Query = Sure;
    type Body = Json<RelinkPersonBody>;
    type Answer = PersonName;

    async fn run(desk: Desk, query: Sure, body: Self::Body) -> Result<Answer<Self::Answer>, Refused> {
        let id: ConnectionId = desk.params.id("connection_id")?;
        let user: UserId = desk.params.id("user_id")?;
        let forced = query.insists(&desk)?;
        desk.change_with_guests(async move |change| {
            let renamed = relink(change, (id, user), (&body.0, forced)).await?;
            Answer::new(200, &PersonName::of(&renamed))
        })
        .await
    }
}

async fn relink(
    change: &mut Change<'_, '_>,
    (id, user): (ConnectionId, UserId),
    (wanted, forced): (&RelinkPersonBody, bool),
) -> Result<Identity, Refused> {
    let live = held(change, id).await?.connection;
    let issuer = live.settings.upstream.issuer();
    let known = identities::of_user(change.tx, (live.id, issuer), user).await?;
    if known.is_empty() {
        return Err(Refused::hidden());
    }
    change.matches(&tag(&known))?;
    let meant: Option<IdentityId> = wanted.identity_id.parse().ok();
    let identity = known.into_iter().find(|known| Some(known.id) == meant);
    let identity =
        identity.ok_or_else(|| Refused::value("/identity_id", "is no name of theirs by this connection"))?;
    let naming = naming(wanted, &live)?;
    let subject = subject(&wanted.subject, &naming)?;
    // Who is called so already has come under that name.
    if subject == identity.subject && naming == identity.naming {
        return Ok(identity);
    }
    // By the new name nobody has come yet: an owner's is a way in from when they have.
    let doors = Doors::before(change, &live).await?;
    identities::rename(change.tx, identity.id, (&subject, &naming), change.keep.now).await?;
    // What names a person stays where it can be deleted: the trail tells of kinds.
    let told = event(change, "organization.connection.person_relinked", &live)
        .with("user", user.to_string())
        .with("identity", identity.id.to_string())
        .with("issuer", issuer)
        .with("from", identity.naming.to_string())
        .with("to", naming.to_string());
    change.record(&told).await?;
    notices::relinked(change.tx, change.keep, &live).await?;
    doors.stay(change, forced).await?;
    Ok(Identity { subject, naming, ..identity })
}

fn naming(wanted: &RelinkPersonBody, live: &Connection) -> Result<Naming, Refused> {
    let names = NamesBody { format: wanted.format.clone(), attribute: wanted.attribute.clone() };
    match live.oidc() {
        Some(live) if names == NamesBody::default() => Ok(live.oidc.naming()),
        Some(_) => {
            Err(Refused::value("", "a provider that speaks OpenID Connect names people in one way alone"))
        }
        None => names.of_live("", live),
    }
}

/// As an answer's would be read: nothing is trimmed, and an address is the same in whatever case.
fn subject(text: &str, naming: &Naming) -> Result<String, Refused> {
    let is_name = (1..=LONGEST).contains(&text.chars().count())
        && text.trim() == text
        && !text.contains(char::is_control);
    if !is_name {
        let why = "must have 1 to 256 characters, without control characters or white space around it";
        return Err(Refused::value("/subject", why));
    }
    let is_pair = text.split_once('.').is_some_and(|(oid, tid)| guid(oid).and(guid(tid)).is_some());
    if *naming == Naming::ObjectId && !is_pair {
        return Err(Refused::value(
            "/subject",
            "must be the oid and the tid of Entra ID, with a dot between them",
        ));
    }
    Ok(naming.kept(text))
}
