//! Who an access token stands for at the administration API: the same pipeline as for everything that is minted.

use futures_util::future::BoxFuture;

use super::api::{minting, opened};
use super::mint;
use crate::login::Stop;
use crate::model::role;
use crate::protocol::oauth::scope;
use crate::store::durable::engine::StoreError;
use crate::store::durable::{grants, roles};
use crate::web::holder::{Holder, Look};
use crate::web::reply::Fault;
use crate::web::visitor::Visitor;

pub const LOOK: Look = look;

fn look<'a>(
    visitor: &'a Visitor,
    token: &'a str,
    audience: &'a str,
) -> BoxFuture<'a, Result<Option<Holder>, Fault>> {
    Box::pin(async move {
        match holder(visitor, token, audience).await {
            Ok(holder) => Ok(Some(holder)),
            // Whatever is wrong with it: it opens nothing, and reads like any other token that does not.
            Err(Stop::Refused(_)) => Ok(None),
            Err(Stop::Failed(fault)) => Err(fault),
        }
    })
}

async fn holder(visitor: &Visitor, token: &str, audience: &str) -> Result<Holder, Stop> {
    let (now, project) = (visitor.broker().now(), visitor.project.id);
    let id = opened(visitor, token, audience, now).await?;
    let found = visitor
        .broker()
        .db
        .read(async move |tx| {
            let grant = grants::by_id(tx, id).await?;
            let Some(grant) = grant.filter(|grant| grant.revoked_at.is_none()) else { return Ok(None) };
            let mut request = minting(&grant, now);
            // What somebody may do here is not for the application to ask for.
            request.scopes = vec![scope::PERMISSIONS.to_owned()];
            let minted = mint::run(tx, &request).await?;
            let custom = match grant.organization {
                Some(organization) => roles::permissions(tx, project, organization).await?,
                None => Default::default(),
            };
            Ok::<_, StoreError>(Some((grant, minted, custom)))
        })
        .await?;
    let Some((grant, minted, custom)) = found.filter(|(grant, _, _)| grant.project_id == project) else {
        return Err(crate::login::refusal::Refusal::LoginRequired.into());
    };
    let minted = minted?;
    let granted = minted.acting.as_ref().map(|acting| role::granted(&acting.roles, &custom));
    let masked = minted.acting.map(|acting| acting.permissions);
    Ok(Holder {
        user: minted.user.id,
        organization: grant.organization,
        granted: granted.unwrap_or_default(),
        masked: masked.unwrap_or_default(),
    })
}
