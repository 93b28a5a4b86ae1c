//! A draft that was begun before what is live now is made of what was live then. Whoever makes it live would undo what was
//! changed since, be it that a certificate was taken away, or a rule added (threats C02, M15): nobody does that unawares.

use crate::broker::connection_swap::was_live;
use crate::manage::connections::Held;
use crate::manage::desk::Change;
use crate::manage::refused::{Code, Refused};
use crate::model::connection::{Connection, Lifecycle, Undone, Version};
use crate::store::durable::connection_versions;
use crate::store::durable::engine::{Read, StoreError};

/// What a draft would undo. What a provider's metadata says moves by itself, and switching a connection off and on changes
/// nothing of it: neither is another version to be begun on.
pub async fn undoes(
    db: &mut impl Read,
    (connection, lifecycle): (&Connection, &Lifecycle),
    draft: Option<&Version>,
) -> Result<Vec<Undone>, StoreError> {
    let Some(draft) = draft.filter(|_| was_live(connection, lifecycle)) else { return Ok(Vec::new()) };
    let live = connection_versions::live(db, connection.id).await?;
    if draft.begun_on == live.map(|live| live.number) {
        return Ok(Vec::new());
    }
    let begun = match draft.begun_on {
        Some(number) => connection_versions::by_number(db, connection.id, number).await?,
        None => None,
    };
    Ok(draft.undoes(begun.as_ref(), connection))
}

/// Refuses who has not shown that they have seen what is live, whoever they are: its ETag speaks for it and the draft.
pub fn refuse(change: &Change<'_, '_>, before: &Held) -> Result<(), Refused> {
    if before.undoes.is_empty() || change.names_what_it_read() {
        return Ok(());
    }
    let names = before.undone();
    let detail = format!(
        "the draft was begun before what is live, and would undo what was changed since: {}. Read the connection, and send \
         its ETag as If-Match; or throw the draft away",
        names.join(", ")
    );
    Err(Refused::new(Code::DraftOutdated, detail).with("undoes", names))
}

impl Held {
    /// The settings that the draft would undo, by name.
    pub fn undone(&self) -> Vec<String> {
        self.undoes.iter().map(|one| one.setting.clone()).collect()
    }
}
