//! THE table: every door of the administration API, once. The router is made of it, and so is the document.

use super::route::Route;
use crate::manage::organizations::api as organizations;

pub const ROUTES: &[Route] = &[
    Route::of::<organizations::List>(),
    Route::of::<organizations::Create>(),
    Route::of::<organizations::Read>(),
    Route::of::<organizations::Replace>(),
    Route::of::<organizations::Patch>(),
    Route::of::<organizations::Deactivate>(),
    Route::of::<organizations::Reactivate>(),
    Route::of::<organizations::Delete>(),
    Route::of::<organizations::Restore>(),
];
