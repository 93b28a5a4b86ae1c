//! Forgets what has run out. Nothing that is swept could still let somebody in or keep somebody out.

use std::time::Duration;

use crate::broker::Broker;
use crate::store::durable::engine::StoreError;
use crate::store::durable::{
    browsers, connection_runs, connection_tests, device_codes, grants, idempotency, machine_grants, mails,
    pushed_requests, saml_keys, sessions, signing_keys, used,
};

/// Kept a while longer, so that a replay of what has just run out is still told from a stranger's guess.
const GRACE: Duration = Duration::from_secs(86_400);
/// For so long it is known what became of a mail: as long as an invitation may count.
const MAILS: Duration = Duration::from_secs(30 * 86_400);

/// How long it is known how sign-ins ended, hour by hour, and what came of trials.
const REMEMBERED: Duration = Duration::from_secs(90 * 86_400);

/// In many short transactions, so that logins get their turn between them.
pub async fn run(broker: &Broker) -> Result<(), StoreError> {
    let now = broker.now();
    let before = now.minus(GRACE);
    let db = &broker.db;
    while db.write(async move |tx| grants::sweep(tx, before).await).await? > 0 {}
    while db.write(async move |tx| device_codes::sweep(tx, before).await).await? > 0 {}
    while db.write(async move |tx| machine_grants::sweep(tx, now).await).await? > 0 {}
    while db.write(async move |tx| pushed_requests::sweep(tx, now).await).await? > 0 {}
    while db.write(async move |tx| sessions::sweep(tx, before).await).await? > 0 {}
    let of_mails = now.minus(MAILS);
    db.write(async move |tx| {
        mails::sweep(tx, of_mails).await?;
        browsers::sweep(tx, now).await?;
        sessions::sweep_over(tx, now).await?;
        used::sweep(tx, before).await?;
        idempotency::sweep(tx, now).await?;
        connection_runs::sweep(tx, now.minus(REMEMBERED)).await?;
        connection_tests::sweep(tx, now.minus(REMEMBERED)).await?;
        signing_keys::sweep(tx, before).await?;
        saml_keys::sweep(tx, before).await
    })
    .await?;
    Ok(())
}
