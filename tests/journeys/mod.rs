//! Whole stories: somebody comes, and gets in or does not.

mod demo;
