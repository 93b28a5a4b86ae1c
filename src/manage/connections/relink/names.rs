//! A kind of names becomes another one: after other settings, or another habit of the provider, the same text names the
//! same person. That is nobody's to guess, for whoever may choose a name of one kind may choose somebody else's of another
//! (SAML Core, section 8.3): an owner says so, of all people at once, and has seen of how many.

use std::time::Duration;

use http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::foundation::id::ConnectionId;
use crate::join::notices;
use crate::manage::api::route::{At, Json, NoBody, NoQuery, Operation, Thing};
use crate::manage::authority::{Need, OWNERS_FRESH};
use crate::manage::connections::api::{OWNERS, READ};
use crate::manage::connections::doors::Doors;
use crate::manage::connections::{event, held};
use crate::manage::desk::{Answer, Change, Desk};
use crate::manage::last_way::Sure;
use crate::manage::refused::{Code, Refused};
use crate::model::connection::{Connection, NameIdFormat, Subject};
use crate::model::identity::Naming;
use crate::store::durable::engine::Read;
use crate::store::durable::{connections, identities};

const PATH: &str = "/connections/{connection_id}/relink/names";
/// Characters of a format or of an attribute's name.
const LONGEST: usize = 2048;

/// A kind of names: of the two, one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NamesBody {
    /// The format of a NameID, as a URI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// The attribute that names people (`subject_attribute`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attribute: Option<String>,
}

impl NamesBody {
    pub fn of(naming: &Naming) -> Self {
        match naming {
            Naming::Sub | Naming::ObjectId => Self::default(),
            Naming::NameId { format, .. } => Self { format: Some(format.clone()), attribute: None },
            Naming::Attribute(name) => Self { format: None, attribute: Some(name.clone()) },
            Naming::AsAddress(kind) => Self::of(kind),
        }
    }

    fn naming(&self, pointer: &str, asked: Option<NameIdFormat>) -> Result<Naming, Refused> {
        let fits = |text: &String| !text.is_empty() && text.chars().count() <= LONGEST;
        match (&self.format, &self.attribute) {
            (Some(format), None) if fits(format) => Ok(Naming::NameId { asked, format: format.clone() }),
            (None, Some(name)) if fits(name) => Ok(Naming::Attribute(name.clone())),
            _ => {
                Err(Refused::value(pointer, "must have either format or attribute, of 1 to 2048 characters"))
            }
        }
    }

    /// The kind, if the connection as it is live may name people by it.
    pub fn of_live(&self, pointer: &str, live: &Connection) -> Result<Naming, Refused> {
        let Some(saml) = live.saml().map(|live| live.saml) else {
            return Err(Refused::value(
                pointer,
                "a provider that speaks OpenID Connect names people in one way alone",
            ));
        };
        let asked = saml.request.name_id_format;
        let naming = self.naming(pointer, asked)?;
        let refused =
            |what: String| Err(Refused::value(pointer, format!("the live settings name people by {what}")));
        match (&naming, &saml.subject) {
            (Naming::Attribute(name), Subject::Attribute(live)) if name == live => Ok(naming),
            (_, Subject::Attribute(live)) => refused(format!("the attribute {live}")),
            (Naming::NameId { format, .. }, Subject::NameId) => {
                match asked.filter(|asked| *asked != NameIdFormat::Unspecified) {
                    Some(asked) if asked.uri() != format => {
                        refused(format!("a NameID of the format {}", asked.uri()))
                    }
                    None if format == NameIdFormat::Transient.uri() => {
                        refused("a NameID that stays the same".to_owned())
                    }
                    _ => Ok(naming),
                }
            }
            _ => refused("the NameID".to_owned()),
        }
    }
}

/// By what people of the provider are known.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct NamesPlan {
    pub connection_id: String,
    /// Of which provider.
    pub issuer: String,
    /// What is live.
    pub version: i64,
    pub kinds: Vec<NamesKind>,
}

/// Neither a format nor an attribute: it is the `sub` of OpenID Connect, with Entra ID `oid` and `tid`; or nobody knows it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct NamesKind {
    /// The format of a NameID.
    pub format: Option<String>,
    pub attribute: Option<String>,
    /// Accounts at the provider that are known by it.
    pub identities: i64,
    /// Whether the live settings go on naming people so. If not, who comes is refused as `subject_kind`, or as somebody
    /// new.
    pub named: bool,
}

/// The kinds, and how many are known by each, whatever was asked for when they came.
async fn kinds(db: &mut impl Read, connection: &Connection) -> Result<Vec<(Vec<Naming>, i64)>, Refused> {
    let upstream = &connection.settings.upstream;
    let mut kinds: Vec<(Vec<Naming>, i64)> = Vec::new();
    for (naming, many) in identities::namings(db, connection.id, upstream.issuer()).await? {
        match kinds.iter_mut().find(|(known, _)| known.iter().any(|known| known.is_kind_of(&naming))) {
            Some((known, all)) => {
                known.push(naming);
                *all += many;
            }
            None => kinds.push((vec![naming], many)),
        }
    }
    Ok(kinds)
}

/// `GET /connections/{connection_id}/relink/names`
pub struct Plan;

impl Operation for Plan {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = PATH;
    const NAME: &'static str = "plan_relink_names";
    const SUMMARY: &'static str = "By what kinds of names (the formats of NameID, or attributes) people of the provider are known, and how many by each. Nothing is changed.";
    const NEED: Need = READ;
    const AT: At = At::Thing(Thing::Connection);
    const STATUS: &'static [u16] = &[200];
    type Query = NoQuery;
    type Body = NoBody;
    type Answer = NamesPlan;

    async fn run(desk: Desk, _: NoQuery, _: NoBody) -> Result<Answer<Self::Answer>, Refused> {
        let id: ConnectionId = desk.params.id("connection_id")?;
        let db = &mut desk.db();
        let live = connections::by_id(db, desk.project().id, id).await?.ok_or_else(Refused::hidden)?;
        let upstream = &live.settings.upstream;
        let kind = |(namings, identities): (Vec<Naming>, i64)| {
            let NamesBody { format, attribute } = namings.first().map(NamesBody::of).unwrap_or_default();
            let named = namings.iter().all(|naming| upstream.names_by(naming));
            NamesKind { format, attribute, identities, named }
        };
        let kinds = kinds(db, &live).await?.into_iter().map(kind).collect();
        let (connection_id, issuer) = (live.id.to_string(), upstream.issuer().to_owned());
        Answer::new(200, &NamesPlan { connection_id, issuer, version: live.version, kinds })
    }
}

/// Which names are which.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RelinkNamesBody {
    /// As people are known.
    pub from: NamesBody,
    /// As the provider names the same people by the same text now: of the live settings.
    pub to: NamesBody,
    /// How many they are, by the plan that somebody has looked at.
    #[schemars(range(min = 1))]
    pub identities: i64,
}

/// Who is known by another kind of names.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct NamesRelinked {
    pub connection_id: String,
    pub from: NamesBody,
    pub to: NamesBody,
    pub identities: i64,
}

/// `POST /connections/{connection_id}/relink/names`
pub struct Relink;

impl Operation for Relink {
    const METHOD: Method = Method::POST;
    const PATH: &'static str = PATH;
    const NAME: &'static str = "relink_names";
    const SUMMARY: &'static str = "Says that names of one kind are names of another one from now on, of everybody who is known by it: the same text, the same person; for an owner, and the operator.";
    const NEED: Need = OWNERS;
    const AT: At = At::Thing(Thing::Connection);
    const STATUS: &'static [u16] = &[200];
    const CODES: &'static [Code] = &[
        Code::InvalidValue,
        Code::OperatorRequired,
        Code::PlanChanged,
        Code::PolicyLocksOut,
        Code::RelinkConflict,
    ];
    const FRESH: Option<Duration> = Some(OWNERS_FRESH);
    type Query = Sure;
    type Body = Json<RelinkNamesBody>;
    type Answer = NamesRelinked;

    async fn run(desk: Desk, query: Sure, body: Self::Body) -> Result<Answer<Self::Answer>, Refused> {
        let id: ConnectionId = desk.params.id("connection_id")?;
        let forced = query.insists(&desk)?;
        desk.change_with_guests(async move |change| {
            let relinked = relink(change, id, (&body.0, forced)).await?;
            Answer::new(200, &relinked)
        })
        .await
    }
}

async fn relink(
    change: &mut Change<'_, '_>,
    id: ConnectionId,
    (wanted, forced): (&RelinkNamesBody, bool),
) -> Result<NamesRelinked, Refused> {
    let live = held(change, id).await?.connection;
    let to = wanted.to.of_live("/to", &live)?;
    let from = wanted.from.naming("/from", None)?;
    if from.is_kind_of(&to) {
        return Err(Refused::value("/from", "is the same kind"));
    }
    let known = kinds(change.tx, &live).await?;
    let found = known.into_iter().find(|(known, _)| known.iter().any(|known| known.is_kind_of(&from)));
    let (known, identities) =
        found.ok_or_else(|| Refused::value("/from", "nobody is known by such names"))?;
    if identities != wanted.identities {
        let detail = format!("they are {identities} by now: look at the plan again");
        return Err(Refused::new(Code::PlanChanged, detail));
    }
    let issuer = live.settings.upstream.issuer();
    let doors = Doors::before(change, &live).await?;
    let mut led_on: u64 = 0;
    for naming in &known {
        respell(change, (live.id, issuer), (naming, &to)).await?;
        let into = naming.turned_into(&to);
        led_on +=
            identities::change_naming(change.tx, (live.id, issuer), (naming, &into), change.keep.now).await?;
    }
    let identities = i64::try_from(led_on).unwrap_or(i64::MAX);
    let (from, to) = (wanted.from.clone(), wanted.to.clone());
    let told = event(change, "organization.connection.names_relinked", &live)
        .with("issuer", issuer)
        .with("version", live.version)
        .with("from", json!(from))
        .with("to", json!(to))
        .with("identities", identities);
    change.record(&told).await?;
    notices::relinked(change.tx, change.keep, &live).await?;
    doors.stay(change, forced).await?;
    Ok(NamesRelinked { connection_id: live.id.to_string(), from, to, identities })
}

/// Has people known by names of a kind as another one keeps them. Two of them may be one name of that: then nobody knows who
/// is meant by it, and nothing is changed.
async fn respell(
    change: &mut Change<'_, '_>,
    (connection, issuer): (ConnectionId, &str),
    (from, to): (&Naming, &Naming),
) -> Result<(), Refused> {
    let mut after = None;
    loop {
        let some = identities::named(change.tx, (connection, issuer), from, after).await?;
        let Some(last) = some.last() else { return Ok(()) };
        after = Some(last.id);
        for known in &some {
            let kept = to.kept(&known.subject);
            if kept == known.subject {
                continue;
            }
            if let Some(other) = identities::find(change.tx, connection, issuer, &kept).await? {
                let detail = format!(
                    "{} and {} would have one name: say first, by relink/people, what one of them is called",
                    known.user_id, other.user_id
                );
                return Err(Refused::new(Code::RelinkConflict, detail));
            }
            identities::respell(change.tx, known.id, &kept).await?;
        }
    }
}
