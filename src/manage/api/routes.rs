//! THE table: every door of the administration API, once. The router is made of it, and so is the document.

use super::route::Route;
use crate::manage::organizations::api as organizations;
use crate::manage::people::api::{members, review};

pub const ROUTES: &[Route] = &[
    Route::of::<organizations::List>(),
    Route::of::<organizations::Create>(),
    Route::of::<organizations::Read>(),
    Route::of::<organizations::Replace>(),
    Route::of::<organizations::Patch>(),
    // People
    Route::of::<members::List>(),
    Route::of::<members::Export>(),
    Route::of::<members::Add>(),
    Route::of::<members::Read>(),
    Route::of::<members::Patch>(),
    Route::of::<members::ChangeRole>(),
    Route::of::<members::Remove>(),
    Route::of::<review::History>(),
    Route::of::<review::AccessReview>(),
    Route::of::<review::ExportAccessReview>(),
];
