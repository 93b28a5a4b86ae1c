//! `/organizations/{organization_id}/members` and what belongs to it.

pub mod members;
pub mod review;
pub mod transfer;
pub mod users;
