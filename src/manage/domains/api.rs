//! `/organizations/{organization_id}/domains`

use std::collections::BTreeMap;
use std::time::Duration;

use http::Method;
use schemars::JsonSchema;
use serde::Deserialize;

use super::body::{ClaimDomain, PatchDomain, StartVerification};
use super::{DomainView, Routed, Turning, claim, found, remove, start, switch, view};
use crate::broker::domain_look::{self, Asked, Published, Sight, Verdict};
use crate::foundation::clock::Moment;
use crate::foundation::id::{OrganizationId, ProjectId};
use crate::join::auto;
use crate::manage::api::BASE;
use crate::manage::api::page::Page;
use crate::manage::api::route::{At, Json, MaybeJson, MergePatch, NoBody, NoQuery, Operation};
use crate::manage::authority::Need;
use crate::manage::desk::{Answer, Change, Desk};
use crate::manage::last_way::Sure;
use crate::manage::refused::{Code, Refused};
use crate::model::domain::{Domain, DomainState};
use crate::model::permission::Permission;
use crate::store::durable::engine::StoreError;
use crate::store::durable::{self, domains, roles};

/// How often an organization may have somebody look, in a minute.
const LOOKS: u64 = 10;
const MINUTE: Duration = Duration::from_secs(60);

async fn shown(
    db: &mut impl durable::engine::Read,
    status: u16,
    routed: &Routed,
    now: Moment,
) -> Result<Answer<DomainView>, Refused> {
    let domain = &routed.domain;
    let custom = custom(db, (domain.project_id, domain.organization_id), [domain]).await?;
    let view = DomainView::of(routed, auto::halted(domain, &custom), now);
    Ok(Answer::new(status, &view)?.etag(view::tag(routed, auto::halted(domain, &custom))))
}

/// The validator of the domain as it is, with what others have made of its role.
async fn tag(db: &mut impl durable::engine::Read, routed: &Routed) -> Result<String, StoreError> {
    let domain = &routed.domain;
    let custom = custom(db, (domain.project_id, domain.organization_id), [domain]).await?;
    Ok(view::tag(routed, auto::halted(domain, &custom)))
}

/// What the organization's further roles mean, if anybody is to join by one of the domains.
async fn custom(
    db: &mut impl durable::engine::Read,
    (project, organization): (ProjectId, OrganizationId),
    domains: impl IntoIterator<Item = &Domain>,
) -> Result<BTreeMap<String, Vec<String>>, StoreError> {
    match domains.into_iter().any(|domain| domain.auto_join_since.is_some()) {
        true => roles::permissions(db, project, organization).await,
        false => Ok(BTreeMap::new()),
    }
}

/// `GET /organizations/{organization_id}/domains` (S1-R12)
pub struct List;

/// The place in the list.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    /// 1 to 200; absent: 50.
    #[schemars(range(min = 1, max = 200))]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    #[schemars(extend("pattern" = "^[A-Za-z0-9_-]+$"))]
    pub cursor: Option<String>,
}

impl Operation for List {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/organizations/{organization_id}/domains";
    const NAME: &'static str = "list_domains";
    const SUMMARY: &'static str = "Domains that the organization claims, proved or not.";
    const NEED: Need = Need::Permitted(Permission::DomainsRead);
    const AT: At = At::Organization;
    const STATUS: &'static [u16] = &[200];
    const CODES: &'static [Code] = &[Code::CursorInvalid];
    type Query = ListQuery;
    type Body = NoBody;
    type Answer = Page<DomainView>;

    async fn run(desk: Desk, query: ListQuery, _: NoBody) -> Result<Answer<Self::Answer>, Refused> {
        let slice = desk.slice(query.limit, query.cursor.as_deref())?;
        let organization = desk.organization()?.id;
        let found = domains::page(&mut desk.db(), organization, slice.after, slice.most()).await?;
        let routes = domains::routes_of(&mut desk.db(), organization).await?;
        let (found, next_cursor) = slice.page(found, |last| last.id);
        let of = |id| routes.iter().filter(|(domain, _)| *domain == id).map(|(_, route)| *route).collect();
        let custom = custom(&mut desk.db(), (desk.project().id, organization), &found).await?;
        let view = |domain: Domain| {
            let halt = auto::halted(&domain, &custom);
            DomainView::of(&Routed { routes: of(domain.id), domain }, halt, desk.now)
        };
        Answer::new(200, &Page { items: found.into_iter().map(view).collect(), next_cursor })
    }
}

/// `POST /organizations/{organization_id}/domains` (S1-R13)
pub struct Claim;

impl Operation for Claim {
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/organizations/{organization_id}/domains";
    const NAME: &'static str = "claim_domain";
    const SUMMARY: &'static str = "Claims a domain: it confers nothing until it is proved.";
    const NEED: Need = Need::Permitted(Permission::DomainsWrite);
    const AT: At = At::Organization;
    const STATUS: &'static [u16] = &[201];
    const CODES: &'static [Code] = &[
        Code::DomainExists,
        Code::TooManyDomains,
        Code::DomainInvalid,
        Code::MixedScript,
        Code::PublicSuffix,
        Code::FreeMailDomain,
    ];
    const ETAG: bool = true;
    type Query = NoQuery;
    type Body = Json<ClaimDomain>;
    type Answer = DomainView;

    async fn run(desk: Desk, _: NoQuery, body: Self::Body) -> Result<Answer<Self::Answer>, Refused> {
        let (name, method) = (body.0.name()?, body.0.method.unwrap_or_default());
        let organization = desk.organization()?.id;
        desk.change(async move |change| {
            let claimed = claim(change, organization, name.clone(), method).await?;
            let location = format!("{BASE}/organizations/{organization}/domains/{}", claimed.domain.id);
            Ok(shown(change.tx, 201, &claimed, change.keep.now).await?.location(location))
        })
        .await
    }
}

/// `GET /organizations/{organization_id}/domains/{domain_id}` (S1-R15)
pub struct Read;

impl Operation for Read {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/organizations/{organization_id}/domains/{domain_id}";
    const NAME: &'static str = "read_domain";
    const SUMMARY: &'static str = "One domain, with what was expected and found when it was last looked up.";
    const NEED: Need = Need::Permitted(Permission::DomainsRead);
    const AT: At = At::Organization;
    const STATUS: &'static [u16] = &[200];
    const ETAG: bool = true;
    type Query = NoQuery;
    type Body = NoBody;
    type Answer = DomainView;

    async fn run(desk: Desk, _: NoQuery, _: NoBody) -> Result<Answer<Self::Answer>, Refused> {
        let domain = asked(&desk).await?;
        let routes = domains::connections_of(&mut desk.db(), domain.id).await?;
        shown(&mut desk.db(), 200, &Routed { domain, routes }, desk.now).await
    }
}

/// The claim of the path.
async fn asked(desk: &Desk) -> Result<Domain, Refused> {
    let (organization, id) = (desk.organization()?.id, desk.params.id("domain_id")?);
    domains::of(&mut desk.db(), organization, id).await?.ok_or_else(Refused::hidden)
}

/// `POST /organizations/{organization_id}/domains/{domain_id}/verify` (S1-R14)
pub struct Start;

impl Operation for Start {
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/organizations/{organization_id}/domains/{domain_id}/verify";
    const NAME: &'static str = "start_domain_verification";
    const SUMMARY: &'static str =
        "What is to be published, and where: the same until it runs out, then a fresh challenge.";
    const NEED: Need = Need::Permitted(Permission::DomainsWrite);
    const AT: At = At::Organization;
    const STATUS: &'static [u16] = &[200];
    const CODES: &'static [Code] = &[Code::InvalidValue, Code::PreconditionFailed];
    const ETAG: bool = true;
    type Query = NoQuery;
    type Body = MaybeJson<StartVerification>;
    type Answer = DomainView;

    async fn run(desk: Desk, _: NoQuery, body: Self::Body) -> Result<Answer<Self::Answer>, Refused> {
        let (organization, id) = (desk.organization()?.id, desk.params.id("domain_id")?);
        desk.change(async move |change| {
            let before = found(change, organization, id).await?;
            let known = tag(change.tx, &before).await?;
            change.matches(&known)?;
            let after = start(change, before, body.0.method).await?;
            shown(change.tx, 200, &after, change.keep.now).await
        })
        .await
    }
}

/// `POST /organizations/{organization_id}/domains/{domain_id}/confirm` (S1-R18, threats C15)
pub struct Confirm;

impl Operation for Confirm {
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/organizations/{organization_id}/domains/{domain_id}/confirm";
    const NAME: &'static str = "confirm_domain";
    const SUMMARY: &'static str = "Looks for the proof now; 10 times a minute for each organization.";
    const NEED: Need = Need::Permitted(Permission::DomainsWrite);
    const AT: At = At::Organization;
    const STATUS: &'static [u16] = &[200];
    const CODES: &'static [Code] =
        &[Code::ProofNotFound, Code::DomainTaken, Code::DnsUnavailable, Code::PreconditionFailed];
    const ETAG: bool = true;
    type Query = NoQuery;
    type Body = NoBody;
    type Answer = DomainView;

    async fn run(desk: Desk, _: NoQuery, _: NoBody) -> Result<Answer<Self::Answer>, Refused> {
        let domain = asked(&desk).await?;
        // What was looked for and not found is kept as well, so this comes before any look.
        let routes = domains::connections_of(&mut desk.db(), domain.id).await?;
        let known = Routed { domain: domain.clone(), routes };
        desk.matches(&tag(&mut desk.db(), &known).await?)?;
        limit(&desk, &domain).await?;
        if domain.is_over(desk.now) {
            let detail = "its challenge has run out: verify gives a fresh one";
            return Err(Refused::new(Code::ProofNotFound, detail).with("expected", domain.txt_value()));
        }
        let sight = domain_look::look(desk.visitor.broker(), &domain).await;
        if !domain_look::proves(&domain, &sight.published) {
            return Err(unproved(&desk, domain, sight).await?);
        }
        let (organization, claimed) = (domain.organization_id, domain.clone());
        let kept = desk
            .change(async move |change| {
                let before = found(change, organization, claimed.id).await?;
                let known = tag(change.tx, &before).await?;
                change.matches(&known)?;
                let (_, verdict) =
                    domain_look::settle(change.tx, change.keep, &claimed, &sight, true).await?;
                let after = found(change, organization, claimed.id).await?;
                confirmed(change, &after, verdict).await
            })
            .await;
        match kept {
            Err(refused) if refused.code() == Code::DomainTaken => {
                contest(&desk, domain).await?;
                Err(refused)
            }
            kept => kept,
        }
    }
}

async fn limit(desk: &Desk, domain: &Domain) -> Result<(), Refused> {
    let what = format!("domain confirm {}", domain.organization_id);
    desk.at_most(&what, (LOOKS, MINUTE), || "wait a minute".into()).await
}

/// Whoever has become verified while we looked is; any other claim that has become another one is to be proved anew.
async fn confirmed(
    change: &mut Change<'_, '_>,
    after: &Routed,
    verdict: Verdict,
) -> Result<Answer<DomainView>, Refused> {
    let is_held = after.domain.state == DomainState::Verified && after.domain.next_challenge.is_none();
    if verdict == Verdict::Proof || is_held {
        return shown(change.tx, 200, after, change.keep.now).await;
    }
    let refused = Refused::new(Code::ProofNotFound, "the claim has another challenge by now");
    Err(refused.with("expected", after.domain.txt_value()))
}

/// Keeps what was found instead, for who reads the domain later.
async fn unproved(desk: &Desk, domain: Domain, sight: Sight) -> Result<Refused, Refused> {
    let expected = domain.txt_value();
    let refused = match &sight.published {
        Published::Unknown(why) => Refused::new(Code::DnsUnavailable, why.to_string()),
        Published::Texts(texts) => {
            let shown: Vec<String> =
                texts.iter().take(10).map(|text| text.chars().take(255).collect()).collect();
            Refused::new(Code::ProofNotFound, Code::ProofNotFound.title()).with("found", shown)
        }
    };
    let (broker, project) = (desk.visitor.broker(), desk.project().clone());
    let (actor, by) = (desk.caller.actor(), desk.caller.by());
    let by = Asked { actor, by, request: Some(desk.visitor.request), by_somebody: true };
    domain_look::keep(broker, project, domain, sight, by).await?;
    Ok(refused.with("expected", expected))
}

async fn contest(desk: &Desk, domain: Domain) -> Result<(), Refused> {
    let keep = crate::audit::Keep {
        random: desk.visitor.broker().random.clone(),
        project: desk.project().clone(),
        actor: desk.caller.actor(),
        by: desk.caller.by(),
        request: Some(desk.visitor.request),
        now: desk.now,
    };
    let work = async move |tx: &mut crate::store::durable::engine::Tx<'_>| {
        domain_look::contested(tx, &keep, &domain).await
    };
    desk.db().write(work).await.map(drop).map_err(Refused::from)
}

/// `PATCH /organizations/{organization_id}/domains/{domain_id}` (S1-R16)
pub struct Patch;

impl Operation for Patch {
    const METHOD: Method = Method::PATCH;
    const PATH: &'static str = "/organizations/{organization_id}/domains/{domain_id}";
    const NAME: &'static str = "patch_domain";
    const SUMMARY: &'static str = "Turns on or off what a proved domain is used for.";
    // By whom people of a domain are believed to be who they are, nobody says by somebody's leave: they take away, and no more.
    const NEED: Need = Need::Permitted(Permission::DomainsWrite);
    const AT: At = At::Organization;
    const STATUS: &'static [u16] = &[200];
    const CODES: &'static [Code] = &[
        Code::ConnectionNotActive,
        Code::DomainNotVerified,
        Code::EnforcementDepends,
        Code::InvalidValue,
        Code::OperatorRequired,
        Code::OwnerRequired,
        Code::PolicyLocksOut,
        Code::ReauthenticationRequired,
        Code::Untested,
        Code::RoleUnknown,
        Code::RoleNotAllowed,
        Code::RoleCeiling,
        Code::PreconditionFailed,
    ];
    const ETAG: bool = true;
    type Query = Sure;
    type Body = MergePatch<PatchDomain>;
    type Answer = DomainView;

    async fn run(desk: Desk, query: Sure, body: Self::Body) -> Result<Answer<Self::Answer>, Refused> {
        let (spelled, forced) = (body.0.spelled(), query.insists(&desk)?);
        let wanted = body.0.checked().map_err(|refused| refused.spelled(&spelled))?;
        let (organization, id) = (desk.organization()?.id, desk.params.id("domain_id")?);
        let patched = desk.change_with_guests(async move |change| {
            let owner = change.organization(organization).await?;
            let before = found(change, organization, id).await?;
            let known = tag(change.tx, &before).await?;
            change.matches(&known)?;
            let after = switch(change, &owner, before, (&wanted, Turning::Proved, forced)).await?;
            shown(change.tx, 200, &after, change.keep.now).await
        });
        patched.await.map_err(|refused| refused.spelled(&spelled))
    }
}

/// `DELETE /organizations/{organization_id}/domains/{domain_id}` (S1-R17)
pub struct Remove;

/// How sure the caller is.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RemoveQuery {
    /// Also where members could not sign in any more; for the operator, also where no owner could.
    pub force: Option<bool>,
}

impl Operation for Remove {
    const METHOD: Method = Method::DELETE;
    const PATH: &'static str = "/organizations/{organization_id}/domains/{domain_id}";
    const NAME: &'static str = "remove_domain";
    const SUMMARY: &'static str = "Gives a domain up: nobody is routed by it from now on; members stay.";
    const NEED: Need = Need::Permitted(Permission::DomainsWrite);
    const AT: At = At::Organization;
    const STATUS: &'static [u16] = &[204];
    const CODES: &'static [Code] =
        &[Code::EnforcementDepends, Code::PolicyLocksOut, Code::PreconditionFailed];
    type Query = RemoveQuery;
    type Body = NoBody;
    type Answer = ();

    async fn run(desk: Desk, query: RemoveQuery, _: NoBody) -> Result<Answer<()>, Refused> {
        let (organization, id) = (desk.organization()?.id, desk.params.id("domain_id")?);
        desk.change_with_guests(async move |change| {
            let owner = change.organization(organization).await?;
            let before = found(change, organization, id).await?;
            let known = tag(change.tx, &before).await?;
            change.matches(&known)?;
            remove(change, &owner, before, query.force == Some(true)).await?;
            Answer::new(204, &())
        })
        .await
    }
}
