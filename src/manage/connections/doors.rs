//! The doors that a write to a connection may shut: what owners come in by.

use crate::manage::desk::Change;
use crate::manage::last_way::{Guests, LastWay};
use crate::manage::refused::Refused;
use crate::model::connection::Connection;

/// What owners come in by: of the organization whose connection it is, and of others.
pub struct Doors {
    own: Option<LastWay>,
    guests: Guests,
}

impl Doors {
    pub async fn before(change: &mut Change<'_, '_>, connection: &Connection) -> Result<Self, Refused> {
        let own = match connection.organization_id {
            Some(of) => Some(LastWay::before(change, of).await?),
            None => None,
        };
        Ok(Self { own, guests: Guests::before(change, connection).await? })
    }

    pub async fn stay(&self, change: &mut Change<'_, '_>, forced: bool) -> Result<(), Refused> {
        if let Some(own) = &self.own {
            own.stays(change, forced).await?;
        }
        self.guests.stay(change, forced).await
    }
}
