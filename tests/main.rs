//! The test house: one binary, so that everything is linked once.
//!
//! `tests/run` is the one command that runs it all; see it for what the machine must have.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod architecture;
mod attacks;
mod doors;
mod house;
mod journeys;
mod properties;
mod stores;
