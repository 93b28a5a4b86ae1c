#![allow(clippy::unwrap_used)]

mod doors;
