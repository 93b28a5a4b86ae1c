//! THE table: every door of the administration API, once. The router is made of it, and so is the document.

use super::route::Route;
use crate::manage::domains::api as domains;
use crate::manage::organizations::api as organizations;

pub const ROUTES: &[Route] = &[
    Route::of::<organizations::List>(),
    Route::of::<organizations::Create>(),
    Route::of::<organizations::Read>(),
    Route::of::<organizations::Replace>(),
    Route::of::<organizations::Patch>(),
    // Domains.
    Route::of::<domains::List>(),
    Route::of::<domains::Claim>(),
    Route::of::<domains::Read>(),
    Route::of::<domains::Start>(),
    Route::of::<domains::Confirm>(),
    Route::of::<domains::Patch>(),
    Route::of::<domains::Remove>(),
];
