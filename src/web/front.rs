//! What every handler is given.

use std::sync::Arc;

use super::templates::Templates;
use crate::broker::Broker;

#[derive(Clone)]
pub struct Front {
    pub broker: Broker,
    pub templates: Arc<Templates>,
}
