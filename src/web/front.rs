//! What every handler is given.

use std::sync::Arc;

use super::holder::{Look, LookAgain, StandFor, Switching};
use super::templates::Templates;
use crate::broker::Broker;

#[derive(Clone)]
pub struct Front {
    pub broker: Broker,
    pub templates: Arc<Templates>,
    /// Who an access token stands for: what only the room of logins can tell.
    pub look: Look,
    pub look_again: LookAgain,
    pub switching: Switching,
    pub stand_for: StandFor,
}
