//! `/organizations/{organization_id}/members` and what belongs to it.

pub mod history;
pub mod members;
pub mod review;
pub mod transfer;
pub mod users;

use schemars::JsonSchema;
use serde::Deserialize;

/// The place in a list.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// 1 to 200; absent: 50.
    #[schemars(range(min = 1, max = 200))]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    #[schemars(extend("pattern" = "^[A-Za-z0-9_-]+$"))]
    pub cursor: Option<String>,
}
